import type { SandboxId } from '../kernel/ids.ts'
import type { ByteStream } from './byte-stream.ts'

export type Isolation = 'process' | 'docker' | 'firecracker'

/** All that a sandbox may use. Every limit is enforced by the runtime, or the boot is refused. */
export interface SandboxLimits {
  /** Thousandths of one core per second of wall-clock time: 1000 is one whole core. */
  readonly cpuMillicores: number
  readonly memoryBytes: number
  /** For /workspace and for /tmp, each. */
  readonly diskBytes: number
  /** Processes and threads together, the guest included. */
  readonly pids: number
  /** Bytes one command may print, stdout and stderr together, before the sandbox is ended. */
  readonly outputBytes: number
  /** Graphics cards of the host; absent: none. */
  readonly gpus?: number
}

/** Host paths that appear inside, at the same path. */
export interface SandboxFilesystem {
  readonly read: readonly string[]
  readonly write: readonly string[]
  /** /workspace is read-only for the agent's command. */
  readonly readOnly: boolean
}

/** What interprets the agent's program. `none`: the command brings its own. */
export interface Interpreter {
  readonly language: 'python' | 'javascript' | 'none'
  /** As the manifest says, for example `3.11`; a hint where the host offers just one version. */
  readonly version: string
  /** What to boot from, by id, digest or name, for runtimes that boot from an OCI image. */
  readonly image?: string
}

/** Where a connection that was opened inside the sandbox wants to go. */
export type ConnectTarget =
  | { readonly kind: 'agent-api' }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }

/** Something the guest saw and the host may want to record. */
export type SandboxNotice = {
  readonly kind: 'dns-denied'
  readonly name: string
}

export interface SandboxSpec {
  readonly id: SandboxId
  readonly interpreter: Interpreter
  readonly limits: SandboxLimits
  readonly filesystem: SandboxFilesystem
  /** A kernel of its own in user space, between the agent and the host's; absent: the host's. */
  readonly applicationKernel?: 'gvisor'
  /**
   * Takes over a connection from inside. The stream it arrives on is the caller's identity, so the
   * handler is made per sandbox. To refuse, destroy the stream.
   */
  readonly onConnect: (target: ConnectTarget, stream: ByteStream) => void
  readonly onNotice?: (notice: SandboxNotice) => void
}
