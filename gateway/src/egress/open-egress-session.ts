import type { Duplex } from 'node:stream'
import type { AgentRequest, Clock, GatewayRecorder, Logger, SandboxIdentity } from '@aegis/core'
import { makeBudgets } from './budgets.ts'
import type { Connection } from './connection.ts'
import type { DenialLog } from './denial-log.ts'
import type { EgressSession, Inspector } from './egress-session.ts'
import type { IpAddress } from './ip-address.ts'
import { MeteredStream } from './metered-stream.ts'
import type { NameResolver } from './name-resolver.ts'
import { makeOpenConnection } from './open-connection.ts'
import { serveProxy } from './serve-proxy.ts'
import { subjectOf } from './subject-of.ts'
import { makeServeTunnel } from './tunnel.ts'

/** The way out of one sandbox. Disposing it ends all of its connections. */
export interface OpenEgressSession extends EgressSession, Disposable {
  /** Takes over a stream whose client has yet to say where it wants to go. Never throws. */
  proxy(stream: Duplex): void
}

export interface EgressSessionDeps {
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  readonly denials: DenialLog
  readonly inspector: Inspector
  readonly resolver: NameResolver
  readonly ownAddresses: () => readonly IpAddress[]
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
}

export function openEgressSession(deps: EgressSessionDeps): OpenEgressSession {
  const { identity, recorder, denials, inspector, clock, logger } = deps
  const ending = new AbortController()
  const connections = new Set<Connection>()
  const budgets = makeBudgets(identity.egress.limits, clock)
  const deny: EgressSession['deny'] = (denial) => denials.deny(denial)
  const open = makeOpenConnection({
    ...deps,
    budgets,
    deny,
    signal: ending.signal,
    onOpen(connection) {
      connections.add(connection)
      connection.socket.once('close', () => connections.delete(connection))
      // The sandbox may have ended in the very moment in which the server answered.
      if (ending.signal.aborted) connection.end(sandboxEnded)
    },
  })

  const session: EgressSession = {
    identity,
    recorder,
    logger,
    signal: ending.signal,
    deny,

    permit(request) {
      const decision = identity.policy.decide(request)
      if (!decision.allow) {
        const { because: reason, policies } = decision
        const code = `${areaOf(request)}.${policies.length > 0 ? 'forbidden' : 'no-rule'}`
        deny({ action: request.action, subject: subjectOfRequest(request), reason, code, policies })
      }
      return decision
    },

    async dial(destination, signal) {
      const connection = await open(destination, signal)
      const { host, port, address, connection: number } = connection.start
      const stream = new MeteredStream(connection)
      return {
        stream,
        connection: number,
        host,
        port,
        address,
        end(facts) {
          connection.end(facts)
          stream.destroy()
        },
      }
    },

    tunnel: (stream, target) => own(stream, () => serveTunnel(stream, target)),
  }
  const serveTunnel = makeServeTunnel({ session, inspector, open })

  /** Whatever goes wrong with a stream ends there. */
  function own(stream: Duplex, serve: () => Promise<void>): void {
    stream.on('error', () => stream.destroy())
    serve().catch((err: unknown) => {
      stream.destroy()
      const { executionId } = identity
      if (!ending.signal.aborted)
        logger.error({ executionId, err }, 'connection could not be served')
    })
  }

  return {
    ...session,
    proxy: (stream) => own(stream, () => serveProxy(session, inspector, stream)),
    [Symbol.dispose]() {
      ending.abort(new Error('The sandbox has ended.'))
      for (const connection of connections) connection.end(sandboxEnded)
      connections.clear()
    },
  }
}

const sandboxEnded = { cause: 'egress.sandbox-ended' }

/** The first word of the codes of its refusals. */
function areaOf({ action }: AgentRequest): string {
  if (action === 'network.connect') return 'egress'
  return action.split('.')[0] ?? action
}

function subjectOfRequest(request: AgentRequest): string {
  switch (request.action) {
    case 'network.connect':
      return subjectOf(request.host, request.port)
    case 'dns.resolve':
      return request.name
    case 'fs.read':
    case 'fs.write':
      return request.path
    case 'llm.generate':
      return request.model
    case 'tool.invoke':
      return request.tool
    case 'memory.read':
    case 'memory.write':
      return request.space
    case 'swarm.spawn':
    case 'swarm.send':
      return request.agent
    case 'swarm.lock':
      return request.lock
    case 'secret.use':
      return request.secret
  }
}
