import type { ControlPlane, Secret } from '@aegis/core'
import { makeAgentClient } from './agent-client.ts'
import { makeAuditClient } from './audit-client.ts'
import { makeExecutionClient } from './execution-client.ts'
import { type Fetch, makeHttpTransport } from './http-transport.ts'
import { makeImageClient } from './image-client.ts'
import { makeNodeClient } from './node-client.ts'
import { makePolicyClient } from './policy-client.ts'
import { defaultReconnect, type Reconnect } from './resume-stream.ts'
import { makeSandboxClient } from './sandbox-client.ts'
import { makeSecretClient } from './secret-client.ts'
import { makeTokenClient } from './token-client.ts'

export interface NodeConnection {
  /** Where the node answers, for example `http://127.0.0.1:8000`. */
  readonly url: string
  /** The node's own token, one that it gave out, or one of its identity provider. */
  readonly token: Secret
  /** Instead of the platform's own. */
  readonly fetch?: Fetch
  /** How long a call other than a stream may take. Default 120 seconds. */
  readonly timeoutMs?: number
  /** How to take up an interrupted event stream again. */
  readonly reconnect?: Reconnect
}

/**
 * A node as seen over HTTP: the same interface, answers and errors as the node itself. Nothing is
 * sent before the first call. Calls throw the node's own AegisErrors, and besides them
 * `unavailable` / `node.unreachable` and `node.bad-answer`, and `timeout` / `node.slow`.
 * @throws AegisError `invalid` / `node.url` when `url` is none
 */
export function connectNode(connection: NodeConnection): ControlPlane {
  const transport = makeHttpTransport({
    url: connection.url,
    token: connection.token,
    fetch: connection.fetch ?? fetch,
    timeoutMs: connection.timeoutMs ?? 120_000,
  })
  const reconnect = connection.reconnect ?? defaultReconnect
  return {
    agents: makeAgentClient(transport, reconnect),
    executions: makeExecutionClient(transport, reconnect),
    images: makeImageClient(transport),
    sandboxes: makeSandboxClient(transport),
    policies: makePolicyClient(transport),
    secrets: makeSecretClient(transport),
    audit: makeAuditClient(transport, reconnect),
    tokens: makeTokenClient(transport),
    node: makeNodeClient(transport),
  }
}
