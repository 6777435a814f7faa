import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SandboxId } from '@aegis/core'
import type { Living } from '@aegis/sandbox'

/** One directory per machine, for all that lies on the disk for its sake. */
export interface MachineDirectories {
  make(id: SandboxId): Promise<string>
  remove(id: SandboxId): Promise<void>
  /** Removes all but those to keep, and says which. */
  sweep(keep: Living): Promise<readonly string[]>
}

export function machineDirectories(parent: string): MachineDirectories {
  const at = (id: string) => join(parent, id)
  const remove = (id: string) => rm(at(id), { recursive: true, force: true, maxRetries: 3 })
  return {
    async make(id) {
      await mkdir(at(id), { recursive: true, mode: 0o700 })
      return at(id)
    },
    remove,
    async sweep(keep) {
      const left = (await readdir(parent).catch(() => [])).filter((name) => !keep.has(name))
      await Promise.all(left.map(remove))
      return left.map((name) => `machine ${at(name)}`)
    },
  }
}
