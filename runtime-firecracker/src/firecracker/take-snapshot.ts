import { chmod, chown, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import type { MachineSnapshot } from '../machine/monitor.ts'
import { type ApiClient, faultOf } from './api-client.ts'
import { inJail } from './configure-machine.ts'
import type { Jail } from './jail.ts'

/** The whole memory is written to the disk. */
const writeTimeoutMs = 60_000

/**
 * Pauses a machine and writes its state into `directory`: into files that are made here and lent to
 * the machine, so that nothing in its jail is believed to be one of them.
 * @throws AegisError `unavailable` / `snapshot.failed`
 */
export async function takeSnapshot(
  api: ApiClient,
  jail: Jail,
  directory: string,
  patience: number,
  signal: AbortSignal,
): Promise<Pick<MachineSnapshot, 'statePath' | 'memoryPath'>> {
  const statePath = join(directory, inJail.state)
  const memoryPath = join(directory, inJail.memory)
  const paths = [statePath, memoryPath]
  const made: string[] = []
  try {
    await api.change('PATCH /vm', { state: 'Paused' }, { signal })
    for (const path of paths) {
      await (await open(path, 'wx', 0o600)).close()
      made.push(path)
    }
    await jail.lend(statePath, inJail.state)
    await jail.lend(memoryPath, inJail.memory)
    await api.change(
      'PUT /snapshot/create',
      {
        snapshot_type: 'Full',
        snapshot_path: `/${inJail.state}`,
        mem_file_path: `/${inJail.memory}`,
      },
      { signal, timeoutMs: writeTimeoutMs * patience },
    )
    for (const path of paths) {
      await chown(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
      // Shown as it is to the jails of others; the directory around it is nobody's but ours.
      await chmod(path, 0o444)
    }
    return { statePath, memoryPath }
  } catch (cause) {
    await Promise.all(made.map((path) => rm(path, { force: true })))
    signal.throwIfAborted()
    throw new AegisError(
      'unavailable',
      'snapshot.failed',
      `No snapshot was made: ${faultOf(cause) ?? (cause instanceof Error ? cause.message : String(cause))}. See that the disk has room for the memory of the machine`,
      { cause },
    )
  }
}
