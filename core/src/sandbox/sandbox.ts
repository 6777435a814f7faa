import type { SandboxId } from '../kernel/ids.ts'
import type { Isolation } from './sandbox-spec.ts'

/** Why a sandbox or a command in it was ended by something other than itself. */
export type LimitCause =
  | 'memory_limit'
  | 'pids_limit'
  | 'disk_limit'
  | 'output_limit'
  | 'time_limit'
  | 'protocol_violation' // The guest sent what the wire protocol does not allow.
  | 'guest_unresponsive' // No answer to pings.
  | 'sandbox_lost' // The guest or its VMM, container or process vanished.

export interface ExecCommand {
  /** `argv[0]` is looked up in the PATH of `env`. */
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Present: the command gets a terminal; stderr then arrives on stdout. */
  readonly terminal?: { readonly rows: number; readonly columns: number }
}

/** How a command ended. `signal` is the name without `SIG`: `KILL`. */
export interface Exit {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly usage: ResourceUsage
  /** Set when a limit, not the command, decided; the most specific cause known. */
  readonly cause: LimitCause | undefined
}

export interface ResourceUsage {
  readonly cpuUserMs: number
  readonly cpuSystemMs: number
  readonly maxRssBytes: number
}

export interface SandboxStats {
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly memoryPeakBytes: number
  /** Processes and threads now. */
  readonly pids: number
  /** Bytes read from and written to block devices so far. */
  readonly ioReadBytes: number
  readonly ioWriteBytes: number
  /** Of the host's memory, its kernel and its monitor included, where it is a machine. */
  readonly residentBytes?: number | undefined
}

/** A running command. Its streams end when it does; unread output holds the command back. */
export interface SandboxProcess {
  readonly stdout: AsyncIterable<Uint8Array>
  readonly stderr: AsyncIterable<Uint8Array>
  /** Resolves when the bytes are accepted; returns quietly when the command no longer reads. */
  writeStdin(chunk: Uint8Array): Promise<void>
  closeStdin(): void
  /** `name` without `SIG`: `TERM`, `INT`, `KILL`, `HUP`, `USR1`, `USR2`, `QUIT`. */
  kill(name: SignalName): void
  resize(rows: number, columns: number): void
  /** Never rejects: a lost sandbox is an exit with the cause. */
  readonly exit: Promise<Exit>
}

export type SignalName = 'TERM' | 'INT' | 'KILL' | 'HUP' | 'USR1' | 'USR2' | 'QUIT'

/** A file to put in. Paths are absolute inside the sandbox; parents are made. */
export interface SandboxFile {
  readonly path: string
  readonly content: Uint8Array
  /** Permission bits, default 0o644. */
  readonly mode?: number
}

/** How long each phase of a boot took, in milliseconds. */
export type BootPhases = Readonly<Record<string, number>>

/**
 * A booted box with a guest that answers. Disposing it kills everything inside and leaves nothing
 * on the host; disposing twice is fine. Every method rejects with `unavailable` /
 * `sandbox.ended` once it has ended.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: SandboxId
  readonly isolation: Isolation
  readonly applicationKernel?: 'gvisor'
  /** What runs the machine that it is, for people: `QEMU 7.2.22, software emulation`. */
  readonly monitor?: string
  readonly bootPhases: BootPhases
  exec(command: ExecCommand, signal: AbortSignal): Promise<SandboxProcess>
  writeFiles(files: readonly SandboxFile[], signal: AbortSignal): Promise<void>
  /** @throws `not-found` no such file · `exhausted` larger than `limitBytes` */
  readFile(path: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array>
  stats(signal: AbortSignal): Promise<SandboxStats>
  /**
   * Of a machine: what `stats` says of it, from the host alone, so that no guest can keep it secret.
   * Undefined once it is gone. Never rejects.
   */
  residentBytes?(): Promise<number | undefined>
  /** Resolves once, with the cause, or undefined when it was disposed in good order. */
  readonly ended: Promise<LimitCause | undefined>
}
