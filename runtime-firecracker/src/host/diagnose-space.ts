import { statfs } from 'node:fs/promises'
import type { HostFinding } from '@aegis/core'

const gibibyte = 2 ** 30
/** Images, scratch disks and snapshots lie there. */
const scarceBytes = 4 * gibibyte
const uselessBytes = gibibyte / 2

/** How much room is left for the disks of machines, below this directory. */
export async function diagnoseSpace(directory: string): Promise<HostFinding> {
  const found = await statfs(directory).catch(() => undefined)
  return describeSpace(directory, found && found.bavail * found.bsize)
}

export function describeSpace(directory: string, freeBytes: number | undefined): HostFinding {
  const name = 'space for machines'
  if (freeBytes === undefined)
    return {
      name,
      state: 'warning',
      detail: `${directory} cannot be asked how much is free`,
      remedy: `Make it, or move the home elsewhere: ls -ld ${directory}`,
    }
  const detail = `${(freeBytes / gibibyte).toFixed(1)} GiB free at ${directory}`
  if (freeBytes >= scarceBytes) return { name, state: 'ok', detail }
  return {
    name,
    state: freeBytes >= uselessBytes ? 'warning' : 'missing',
    detail: `${detail}: images, scratch disks and snapshots need more`,
    remedy: 'aegis image prune, or move AEGIS_HOME to a larger disk',
  }
}
