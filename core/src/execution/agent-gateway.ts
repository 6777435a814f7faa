import type { ByteStream } from '../sandbox/byte-stream.ts'
import type { ConnectTarget } from '../sandbox/sandbox-spec.ts'
import type { GatewayRecorder, SandboxIdentity } from './gateway-recorder.ts'

/** The only door out of a sandbox. */
export interface AgentGateway extends AsyncDisposable {
  /** Makes the handler of one sandbox's connections. Disposing it ends them all. */
  admit(identity: SandboxIdentity, recorder: GatewayRecorder): SandboxDoor
  /** PEM: the public authorities and the one of this node, for sandboxes whose TLS it ends. */
  trustBundle(): Promise<Uint8Array>
}

export interface SandboxDoor extends Disposable {
  /**
   * Serves the agent API or the proxy, or connects to where the policy permits; else it destroys
   * the stream and records the denial. Never throws.
   */
  connect(target: ConnectTarget, stream: ByteStream): void
}
