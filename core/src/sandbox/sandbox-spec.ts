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

/** The part of the world that appears on the sandbox's loopback. What it says is a convenience of
 *  the sandbox: the gateway decides on each connection anew. */
export interface SandboxNetwork {
  /** Names that have an address inside. Lower case, no trailing dot; at most 1,000. */
  readonly names: readonly string[]
  /** Every name that ends in a dot and one of these has one too; at most 100. */
  readonly suffixes: readonly string[]
  /** Where connections to these names are taken over; at most 60. */
  readonly ports: readonly number[]
  /** Offers a proxy for HTTP and SOCKS 5 on 127.0.0.1, port `proxyPort`. */
  readonly proxy: boolean
}

/** Where the proxy listens inside. */
export const proxyPort = 3128

/** Where a connection that was opened inside the sandbox wants to go. */
export type ConnectTarget =
  | { readonly kind: 'agent-api' }
  /** `host` is a name of the sandbox's network, or an address (IPv6 without brackets). */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** The proxy: where to, the client says on the stream. */
  | { readonly kind: 'proxy' }

/** Something the guest saw and the host may want to record. */
export type SandboxNotice =
  | { readonly kind: 'dns-denied'; readonly name: string }
  | { readonly kind: 'dns-answered'; readonly name: string }
  /** A packet to an address of the world or of a name, which nobody takes over. */
  | {
      readonly kind: 'connect-denied'
      readonly protocol: 'tcp' | 'udp'
      /** A name of the sandbox's network, or an address (IPv6 without brackets). */
      readonly address: string
      readonly port: number
    }

export interface SandboxSpec {
  readonly id: SandboxId
  readonly interpreter: Interpreter
  readonly limits: SandboxLimits
  readonly filesystem: SandboxFilesystem
  /** Absent: nothing but the agent API. */
  readonly network?: SandboxNetwork
  /** A kernel of its own in user space, between the agent and the host's; absent: the host's. */
  readonly applicationKernel?: 'gvisor'
  /**
   * Takes over a connection from inside. The stream it arrives on is the caller's identity, so the
   * handler is made per sandbox. To refuse, destroy the stream.
   */
  readonly onConnect: (target: ConnectTarget, stream: ByteStream) => void
  readonly onNotice?: (notice: SandboxNotice) => void
}
