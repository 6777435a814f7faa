import type {
  BootPhases,
  ExecCommand,
  LimitCause,
  Sandbox,
  SandboxFile,
  SandboxProcess,
  SandboxSpec,
  SandboxStats,
} from '@aegis/core'
import type { GuestSession } from '@aegis/sandbox'
import type { Machine } from './machine/monitor.ts'

/** What the runtime tells besides its results; a pino logger fits. */
export interface MachineLogger {
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
}

export interface MachineSandboxParts {
  readonly spec: SandboxSpec
  /** What runs the machine, for people. */
  readonly monitor: string
  readonly bootPhases: BootPhases
  readonly session: GuestSession
  readonly machine: Machine
  /** Variables of the image. */
  readonly env: Readonly<Record<string, string>>
  readonly logger: MachineLogger | undefined
  /** Ends the machine and frees what the boot took. */
  readonly release: () => Promise<void>
}

/** A sandbox, and what only its runtime may ask of it. */
export interface MachineSandbox extends Sandbox {
  /** A command that runs already, seen as those that `exec` starts. */
  adopt(running: SandboxProcess): SandboxProcess
  /** Its end is wanted from now on, though nobody has disposed it yet. */
  retire(): void
}

/** A booted machine: the guest's session, seen together with what the monitor tells. */
export function makeMachineSandbox(parts: MachineSandboxParts): MachineSandbox {
  const { spec, session, machine } = parts
  let disposed = false
  let released: Promise<void> | undefined
  const release = () => {
    released ??= parts.release()
    return released
  }

  /** A lost guest is a symptom; once, since all its commands are told the same. */
  let judgement: Promise<LimitCause> | undefined
  const judge = (cause: LimitCause): Promise<LimitCause> | LimitCause => {
    if (cause !== 'sandbox_lost') return cause
    judgement ??= release().then(async () =>
      (await machine.ended).outOfMemory ? 'memory_limit' : 'sandbox_lost',
    )
    return judgement
  }

  // A monitor that dies takes the wire along, so that this resolves then too.
  const ended = session.ended.then(async (cause) => {
    if (disposed || cause === undefined) return undefined
    const decisive = await judge(cause)
    // Nothing may run on behind a wire that nobody reads; the owner still disposes.
    void release()
    const because = session.failure?.message
    const { words } = await machine.ended
    parts.logger?.warn({ sandbox: spec.id, cause: decisive, because, words }, 'Sandbox ended')
    return decisive
  })

  const adopt = (running: SandboxProcess): SandboxProcess => ({
    stdout: running.stdout,
    stderr: running.stderr,
    writeStdin: (chunk) => running.writeStdin(chunk),
    closeStdin: () => running.closeStdin(),
    kill: (name) => running.kill(name),
    resize: (rows, columns) => running.resize(rows, columns),
    exit: running.exit.then(async (seen) => {
      if (seen.cause === undefined || disposed) return seen
      return { ...seen, cause: await judge(seen.cause) }
    }),
  })

  return {
    id: spec.id,
    isolation: 'firecracker',
    monitor: parts.monitor,
    bootPhases: parts.bootPhases,
    ended,
    async exec(command: ExecCommand, signal: AbortSignal) {
      const env = { ...parts.env, ...command.env }
      return adopt(await session.exec({ ...command, env }, signal))
    },
    adopt,
    retire() {
      disposed = true
    },
    writeFiles: (files: readonly SandboxFile[], signal: AbortSignal) =>
      session.writeFiles(files, signal),
    readFile: (path, limitBytes, signal) => session.readFile(path, limitBytes, signal),
    async stats(signal): Promise<SandboxStats> {
      const [seen, residentBytes, cpuMs] = await Promise.all([
        session.stats(signal),
        machine.residentBytes(),
        machine.cpuMs(),
      ])
      // A guest does not see how long the host lets it wait, and takes that for its own work.
      return { ...seen, residentBytes, cpuMs: cpuMs ?? seen.cpuMs }
    },
    residentBytes: () => machine.residentBytes(),
    [Symbol.asyncDispose]() {
      disposed = true
      session.close()
      return release()
    },
  }
}
