import {
  AegisError,
  type BootPhases,
  type ExecCommand,
  type Exit,
  type LimitCause,
  type Sandbox,
  type SandboxFile,
  type SandboxProcess,
  type SandboxSpec,
  type SandboxStats,
} from '@aegis/core'
import type { GuestSession } from '@aegis/sandbox'
import { type LimitGroup, type LimitHits, noHits } from '@aegis/sandbox'
import { exitCause } from './exit-cause.ts'
import type { ReadOnlyWorkspace } from './read-only-workspace.ts'

/** What the runtime tells besides its results; a pino logger fits. */
export interface RuntimeLogger {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
}

export interface ProcessSandboxParts {
  readonly spec: SandboxSpec
  readonly bootPhases: BootPhases
  readonly session: GuestSession
  readonly group: LimitGroup
  readonly workspace: ReadOnlyWorkspace | undefined
  readonly logger: RuntimeLogger | undefined
  readonly kill: () => Promise<void>
  /** Kills what runs and frees what the boot took. */
  readonly release: () => Promise<void>
}

/** A booted namespace sandbox: the guest's session, seen together with what its limits counted. */
export function makeProcessSandbox(parts: ProcessSandboxParts): Sandbox {
  const { spec, session, group, workspace } = parts
  let released: Promise<void> | undefined
  const release = () => {
    session.close()
    released ??= parts.release()
    return released
  }

  let over = false
  const ended = session.ended.then(async (cause) => {
    over = true
    if (released !== undefined || cause === undefined) return undefined
    const { oomKills } = await readHits(group)
    // Nothing may run on behind a wire that nobody reads; the owner still disposes the rest.
    await parts.kill()
    const decisive = cause === 'sandbox_lost' && oomKills > 0 ? 'memory_limit' : cause
    const because = session.failure?.message
    parts.logger?.warn({ sandbox: spec.id, cause: decisive, because }, 'Sandbox ended')
    return decisive
  })

  const judge = async (exit: Exit, before: LimitHits): Promise<Exit> => {
    if (exit.code === 0 && exit.cause === undefined) return exit
    const cause: LimitCause | undefined = exitCause(
      exit,
      before,
      await readHits(group),
      spec.limits.diskBytes,
    )
    return { ...exit, cause }
  }

  return {
    id: spec.id,
    isolation: 'process',
    bootPhases: parts.bootPhases,
    ended,
    async exec(command: ExecCommand, signal: AbortSignal): Promise<SandboxProcess> {
      // Before it runs, or what it does at once would count as done before.
      const before = await readHits(group)
      const running = await session.exec(command, signal)
      return {
        stdout: running.stdout,
        stderr: running.stderr,
        writeStdin: (chunk) => running.writeStdin(chunk),
        closeStdin: () => running.closeStdin(),
        kill: (name) => running.kill(name),
        resize: (rows, columns) => running.resize(rows, columns),
        exit: running.exit.then((exit) => judge(exit, before)),
      }
    },
    async writeFiles(files: readonly SandboxFile[], signal: AbortSignal) {
      const direct = files.filter((file) => workspace?.holds(file.path))
      const others = files.filter((file) => !workspace?.holds(file.path))
      for (const file of direct) {
        signal.throwIfAborted()
        if (over) throw sandboxEnded()
        await workspace?.write(file)
      }
      if (others.length > 0) await session.writeFiles(others, signal)
    },
    readFile: (path, limitBytes, signal) => session.readFile(path, limitBytes, signal),
    async stats(signal): Promise<SandboxStats> {
      const seen = await session.stats(signal)
      return { ...seen, ...(await group.usage()) }
    },
    [Symbol.asyncDispose]: release,
  }
}

/** Counters of a group that is just being removed are no reason to fail. */
async function readHits(group: LimitGroup): Promise<LimitHits> {
  return group.hits().catch(() => noHits)
}

const sandboxEnded = (): AegisError =>
  new AegisError('unavailable', 'sandbox.ended', 'The sandbox has ended')
