import {
  AegisError,
  type BootPhases,
  type ExecCommand,
  type LimitCause,
  type Logger,
  type Sandbox,
  type SandboxFile,
  type SandboxSpec,
  type SandboxStats,
} from '@aegis/core'
import type { GuestSession } from '@aegis/sandbox'
import type { ContainerUsage } from '../engine/container-usage.ts'
import type { ContainerEnd } from '../engine/container-watch.ts'
import type { WorkspaceVolume } from './workspace-volume.ts'

export interface DockerSandboxParts {
  readonly spec: SandboxSpec
  readonly bootPhases: BootPhases
  readonly session: GuestSession
  /** Variables of the image. */
  readonly env: Readonly<Record<string, string>>
  readonly workspace: WorkspaceVolume | undefined
  readonly gvisor: boolean
  /** Present where the guest cannot see its own cgroup, as in gVisor. */
  readonly usage: ((signal: AbortSignal) => Promise<ContainerUsage | undefined>) | undefined
  readonly logger: Logger | undefined
  /** What the engine tells of the container's end. */
  readonly containerEnd: () => Promise<ContainerEnd>
  /** Removes the container and all that is its own. */
  readonly release: () => Promise<void>
}

/** A booted container: the guest's session, seen together with what the engine tells. */
export function makeDockerSandbox(parts: DockerSandboxParts): Sandbox {
  const { spec, session, workspace } = parts
  let disposed = false
  let over = false
  let peakBytes = 0
  let released: Promise<void> | undefined
  const release = () => {
    released ??= parts.release()
    return released
  }

  /** A lost container is a symptom; once, since all its commands are told the same. */
  let judgement: Promise<LimitCause> | undefined
  const judge = (cause: LimitCause): Promise<LimitCause> | LimitCause => {
    if (cause !== 'sandbox_lost') return cause
    judgement ??= parts.containerEnd().then(({ oomKilled, killed }) =>
      // All of a gVisor sandbox is one process to the kernel, which kills it for its memory; not
      // every engine hears of each such death.
      oomKilled || (parts.gvisor && killed) ? 'memory_limit' : 'sandbox_lost',
    )
    return judgement
  }

  const ended = session.ended.then(async (cause) => {
    over = true
    if (disposed || cause === undefined) return undefined
    const decisive = await judge(cause)
    // Nothing may run on behind a wire that nobody reads; the owner still disposes.
    void release()
    const because = session.failure?.message
    parts.logger?.warn({ sandbox: spec.id, cause: decisive, because }, 'sandbox ended')
    return decisive
  })

  return {
    id: spec.id,
    isolation: 'docker',
    ...(parts.gvisor && { applicationKernel: 'gvisor' as const }),
    bootPhases: parts.bootPhases,
    ended,
    async exec(command: ExecCommand, signal: AbortSignal) {
      const env = { ...parts.env, ...command.env }
      const running = await session.exec({ ...command, env }, signal)
      const exit = running.exit.then(async (seen) => {
        if (seen.cause === undefined || disposed) return seen
        return { ...seen, cause: await judge(seen.cause) }
      })
      return {
        stdout: running.stdout,
        stderr: running.stderr,
        writeStdin: (chunk) => running.writeStdin(chunk),
        closeStdin: () => running.closeStdin(),
        kill: (name) => running.kill(name),
        resize: (rows, columns) => running.resize(rows, columns),
        exit,
      }
    },
    async writeFiles(files: readonly SandboxFile[], signal: AbortSignal) {
      signal.throwIfAborted()
      const direct = files.filter((file) => workspace?.holds(file.path))
      const others = files.filter((file) => !workspace?.holds(file.path))
      if (over || disposed)
        throw new AegisError('unavailable', 'sandbox.ended', 'The sandbox has ended')
      if (direct.length > 0) await workspace?.write(direct, signal)
      if (others.length > 0) await session.writeFiles(others, signal)
    },
    readFile: (path, limitBytes, signal) => session.readFile(path, limitBytes, signal),
    async stats(signal): Promise<SandboxStats> {
      const [seen, counted] = await Promise.all([session.stats(signal), parts.usage?.(signal)])
      if (counted === undefined) return seen
      const { cpuMs, memoryBytes } = counted
      peakBytes = Math.max(peakBytes, memoryBytes, counted.memoryPeakBytes ?? 0)
      return { ...seen, cpuMs, memoryBytes, memoryPeakBytes: peakBytes }
    },
    [Symbol.asyncDispose]() {
      disposed = true
      session.close()
      return release()
    },
  }
}
