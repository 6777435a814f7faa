import type { Duplex } from 'node:stream'
import type {
  AccessDenial,
  AgentRequest,
  ConnectionStart,
  GatewayRecorder,
  Logger,
  PolicyDecision,
  SandboxIdentity,
} from '@aegis/core'

/** What all connections of one sandbox share. Nothing leaves it but through `dial`. */
export interface EgressSession {
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  readonly logger: Logger
  /** Aborted when the sandbox ends. */
  readonly signal: AbortSignal
  /** Asks the policy. A refusal is recorded, and its reason returned in `because`. */
  permit(request: AgentRequest): PolicyDecision
  /** Records a refusal; a flood of equal ones is counted, not told one by one. Never throws. */
  deny(denial: AccessDenial): void
  /**
   * Resolves the name, drops addresses that must not be reached, records the connection, and dials
   * exactly one of those that are left. The order is the promise: nothing is looked up before
   * `decision` permits, and nothing dialled before the record is durable.
   * @throws AegisError `denied` / `egress.*` (recorded) · `unavailable` / `egress.unreachable`
   */
  dial(destination: Destination, signal: AbortSignal): Promise<Upstream>
  /**
   * Takes over a stream whose client believes to talk to `host`: tells by its first bytes what it
   * speaks, and passes it on unread, or to the inspector. Never throws.
   */
  tunnel(stream: Duplex, target: TunnelTarget): void
}

/** Where a client wants to go; `host` may be written in any way, and is canonicalised first. */
export interface TunnelTarget {
  readonly host: string
  readonly port: number
  readonly via: ConnectionStart['via']
}

/** Where a permitted connection goes. */
export interface Destination extends TunnelTarget {
  /** Canonical. */
  readonly host: string
  readonly decision: PolicyDecision
  readonly reading: ConnectionStart['reading']
}

/** A connection to the world. Its bytes are counted against the budgets, which may destroy it. */
export interface Upstream {
  readonly stream: Duplex
  readonly connection: number
  readonly host: string
  readonly port: number
  /** What was dialled. */
  readonly address: string
  /** Destroys it and records its end, once. `cause`: why AEGIS ended it; else an end of its own. */
  end(facts?: { readonly cause?: string; readonly requests?: number }): void
}

/** Speaks HTTP on behalf of both ends, where requests have to be seen. */
export interface Inspector {
  /** Whether TLS to this destination has to end here. */
  opensTls(session: EgressSession, host: string, port: number): boolean
  /** Ends the client's TLS, in the name of `target.host`. The ClientHello is still to be read. */
  serveTls(session: EgressSession, stream: Duplex, target: TunnelTarget): void
  /** Serves plain HTTP for one host. */
  serveHttp(session: EgressSession, stream: Duplex, target: TunnelTarget): void
  /** Serves a client of the proxy: requests in absolute form, and CONNECT, which is tunnelled. */
  serveProxy(session: EgressSession, stream: Duplex): void
}
