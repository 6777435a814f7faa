import { chmod, chown, link, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import type { MachineSnapshot } from '../machine/monitor.ts'
import type { CallSocket } from './call-socket.ts'
import { saveState } from './machine-state.ts'
import type { QemuMemory } from './qemu-memory.ts'
import type { QmpClient } from './qmp-client.ts'

export interface SnapshotSubject {
  readonly qmp: QmpClient
  /** Where its QEMU calls to say its state. */
  readonly states: CallSocket
  readonly memory: QemuMemory
  /** Kills it, and resolves once nothing of it runs. */
  end(): Promise<void>
  /** For the state to be written. */
  readonly timeoutMs: number
}

/**
 * Pauses a machine, writes its state into `directory`, ends it, and moves its memory there: a file
 * that nobody writes to any more, since nobody who could is left.
 * @throws AegisError `unavailable` / `snapshot.failed`
 */
export async function takeQemuSnapshot(
  { qmp, states, memory, end, timeoutMs }: SnapshotSubject,
  directory: string,
  signal: AbortSignal,
): Promise<Pick<MachineSnapshot, 'statePath' | 'memoryPath'>> {
  const statePath = join(directory, 'state')
  const memoryPath = join(directory, 'memory')
  const made: string[] = []
  try {
    await using file = await open(statePath, 'wx', 0o600)
    made.push(statePath)
    const late = AbortSignal.timeout(timeoutMs)
    await saveState(qmp, states.called, file, AbortSignal.any([signal, late]))
    await end()
    for (const path of [statePath, memory.path]) {
      await chown(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0)
      // Shown as it is to the boxes of others; the directory around it is nobody's but ours.
      await chmod(path, 0o444)
    }
    await link(memory.path, memoryPath)
    made.push(memoryPath)
    await rm(memory.path)
    return { statePath, memoryPath }
  } catch (cause) {
    await Promise.all(made.map((path) => rm(path, { force: true })))
    signal.throwIfAborted()
    throw new AegisError(
      'unavailable',
      'snapshot.failed',
      `No snapshot was made: ${cause instanceof Error ? cause.message : String(cause)}. See that the disk has room, and that ${directory} lies on the same one as ${memory.path}`,
      { cause },
    )
  }
}
