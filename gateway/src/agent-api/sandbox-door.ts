import { Duplex } from 'node:stream'
import type {
  ByteStream,
  ConnectTarget,
  GatewayRecorder,
  Logger,
  SandboxDoor,
  SandboxIdentity,
} from '@aegis/core'
import { openDenialLog } from '../egress/denial-log.ts'
import { parseIpAddress } from '../egress/ip-address.ts'
import type { EgressSessionDeps, OpenEgressSession } from '../egress/open-egress-session.ts'
import { subjectOf } from '../egress/subject-of.ts'
import { limits } from '../limits.ts'
import type { AgentServer } from './agent-server.ts'

export interface SandboxDoorDeps {
  readonly server: AgentServer
  readonly openEgress: OpenEgress
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  readonly logger: Logger
}

export type OpenEgress = (
  deps: Pick<EgressSessionDeps, 'identity' | 'recorder' | 'denials'>,
) => OpenEgressSession

/** Lets one sandbox's connections in: to the agent API, and to where its policy permits. */
export function makeSandboxDoor(deps: SandboxDoorDeps): SandboxDoor {
  const { server, openEgress, identity, recorder, logger } = deps
  const { executionId } = identity
  const api = new Set<Duplex>()
  const outward = new Set<Duplex>()
  const closing = new AbortController()
  const denials = openDenialLog({ recorder, logger, executionId })
  const admitted = {
    identity,
    recorder,
    deny: denials.deny,
    signal: closing.signal,
    inFlight: { requests: 0 },
  }
  const egress =
    identity.egress.mode === 'none' ? undefined : openEgress({ identity, recorder, denials })

  function hold(stream: Duplex, among: Set<Duplex>, most: number): boolean {
    if (among.size >= most) return false
    among.add(stream)
    stream.once('close', () => among.delete(stream))
    return true
  }

  function serveApi(stream: Duplex): void {
    if (hold(stream, api, limits.connections)) server.serve(stream, admitted)
    else stream.destroy()
  }

  function serveOutward(target: OutwardTarget, stream: Duplex): void {
    if (egress === undefined) refuse(target, stream, noNetwork)
    else if (!hold(stream, outward, limits.egressStreams)) refuse(target, stream, tooMany)
    else if (target.kind === 'proxy') egress.proxy(stream)
    else {
      const { host, port } = target
      const via = parseIpAddress(host) === undefined ? 'name' : 'address'
      egress.tunnel(stream, { host, port, via })
    }
  }

  function refuse(target: OutwardTarget, stream: Duplex, refusal: typeof noNetwork): void {
    stream.destroy()
    const subject = target.kind === 'proxy' ? 'proxy' : subjectOf(target.host, target.port)
    denials.deny({ action: 'network.connect', subject, ...refusal })
  }

  return {
    connect(target, stream) {
      try {
        if (closing.signal.aborted) stream.destroy()
        else if (target.kind === 'agent-api') serveApi(duplexOf(stream))
        else serveOutward(target, duplexOf(stream))
      } catch (err) {
        logger.error({ executionId, err }, 'connection could not be served')
        stream.destroy()
      }
    },

    [Symbol.dispose]() {
      closing.abort(new Error('The sandbox has ended.'))
      for (const stream of [...api, ...outward]) stream.destroy()
      egress?.[Symbol.dispose]()
      denials[Symbol.dispose]()
    },
  }
}

type OutwardTarget = Exclude<ConnectTarget, { kind: 'agent-api' }>

const noNetwork = {
  code: 'egress.no-network',
  reason:
    'This agent may connect to the agent API alone. To permit more, set spec.security.network.mode to allow, and name the host in spec.security.network.allowlist.',
}

const tooMany = {
  code: 'egress.budget-streams',
  reason: `A sandbox has at most ${limits.egressStreams} streams that leave it. Close some.`,
}

function duplexOf(stream: ByteStream): Duplex {
  if (stream instanceof Duplex) return stream
  throw new TypeError('The connection of a sandbox is not a stream.Duplex')
}
