import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AegisError } from '@aegis/core'

/** Free space that conversions leave to others. */
const spareBytes = 256 * 2 ** 20

/** @throws AegisError `exhausted` / `image.space` */
export async function needSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path))
  if (bavail * bsize - bytes < spareBytes) throw noSpace(dirname(path))
}

export const noSpace = (directory: string, cause?: unknown): AegisError =>
  new AegisError(
    'exhausted',
    'image.space',
    `The disk of ${directory} is too full to make an image for micro-VMs. Remove some: aegis image prune, or give it more space`,
    { cause },
  )
