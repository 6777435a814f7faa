import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A file system of few bytes, mounted on a directory that is made for it. */
export interface SmallDisk extends AsyncDisposable {
  /** Leaves no byte free. */
  fill(): Promise<void>
  free(): Promise<void>
}

/** As which it stands in the table of mounts. */
export const smallDiskName = 'small-disk'

/** Why none can be mounted here. */
export const whyNoSmallDisk = (): string | undefined =>
  process.getuid?.() === 0 ? undefined : 'only root may mount a file system'

export async function mountSmallDisk(directory: string, bytes: number): Promise<SmallDisk> {
  await mkdir(directory, { recursive: true })
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, smallDiskName, directory])
  const ballast = join(directory, 'ballast')
  return {
    async fill() {
      await using file = await open(ballast, 'a')
      for (const chunk of [1 << 20, 1 << 12]) await writeUntilFull(file, Buffer.alloc(chunk))
    },
    free: () => rm(ballast),
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', directory])
    },
  }
}

async function writeUntilFull(
  file: Awaited<ReturnType<typeof open>>,
  chunk: Uint8Array,
): Promise<void> {
  try {
    for (;;) await file.appendFile(chunk)
  } catch (error) {
    const isFull = error instanceof Error && 'code' in error && error.code === 'ENOSPC'
    if (!isFull) throw error
  }
}
