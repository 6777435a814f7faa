import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { type Duplex, duplexPair } from 'node:stream'
import type {
  AgentPolicy,
  AgentRequest,
  EgressLimits,
  EgressPlan,
  NetworkRule,
  SandboxIdentity,
} from '@aegis/core'
import { parseNetworkEntry } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { openDenialLog } from '../egress/denial-log.ts'
import type { EgressSession, Inspector, TunnelTarget } from '../egress/egress-session.ts'
import { type IpAddress, parseIpAddress } from '../egress/ip-address.ts'
import type { NameResolver } from '../egress/name-resolver.ts'
import { type OpenEgressSession, openEgressSession } from '../egress/open-egress-session.ts'
import { ruleCovers } from '../egress/rule-covers.ts'
import { systemClock } from '../system-clock.ts'
import { makeRecording, type Recording } from './open-agent-port.ts'
import { makeLogLines } from './open-test-gateway.ts'

/** What an agent may reach in a test. */
export interface EgressSceneOptions {
  /** As a manifest writes them. */
  readonly allow?: readonly string[]
  readonly rules?: readonly NetworkRule[]
  readonly mode?: EgressPlan['mode']
  readonly policy?: AgentPolicy
  /** Ranges of the operator; absent: the loopback. */
  readonly reachableRanges?: readonly string[]
  readonly limits?: Partial<EgressLimits>
  /** Addresses of names; there are no others. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  readonly resolver?: NameResolver
  readonly own?: readonly string[]
  readonly identity?: Partial<SandboxIdentity>
  readonly inspector?: Partial<Inspector>
}

export interface EgressScene extends Disposable {
  readonly session: OpenEgressSession
  readonly recording: Recording
  readonly lines: readonly string[]
  /** What the policy was asked, in order. */
  readonly asked: readonly AgentRequest[]
  /** Names that were looked up. */
  readonly lookedUp: readonly string[]
  /** What was handed to the inspector. */
  readonly inspected: readonly Inspected[]
  /** A client whose stream the tunnel serves. */
  tunnel(target: Omit<TunnelTarget, 'via'> & Partial<TunnelTarget>): Duplex
  /** A client of the proxy. */
  proxy(): Duplex
}

export interface Inspected {
  readonly as: 'tls' | 'http' | 'proxy'
  readonly stream: Duplex
  readonly target?: TunnelTarget
}

/** The egress of one sandbox with a policy that goes by its rules, and an inspector that takes notes. */
export function openEgressScene(options: EgressSceneOptions = {}): EgressScene {
  const recording = makeRecording()
  const logger = makeLogLines()
  const asked: AgentRequest[] = []
  const lookedUp: string[] = []
  const inspected: Inspected[] = []
  const rules = [...(options.allow ?? []).map(ruleOf), ...(options.rules ?? [])]
  const policy = options.policy ?? policyOf(rules, options.mode ?? 'allow')
  const base = anIdentity()
  const identity = {
    ...base,
    policy: {
      decide(request: AgentRequest) {
        asked.push(request)
        return policy.decide(request)
      },
    },
    egress: {
      mode: options.mode ?? 'allow',
      rules,
      opaque: [],
      reachableRanges: options.reachableRanges ?? ['127.0.0.0/8', '::1/128'],
      limits: { ...base.egress.limits, ...options.limits },
    },
    ...options.identity,
  }
  const names = options.resolver ?? resolverOf(options.names ?? {})
  const note = (as: Inspected['as']) => (_: EgressSession, stream: Duplex, target?: TunnelTarget) =>
    void inspected.push({ as, stream, ...(target !== undefined && { target }) })
  const denials = openDenialLog({ recorder: recording, logger, executionId: identity.executionId })
  const session = openEgressSession({
    identity,
    recorder: recording,
    denials,
    inspector: {
      opensTls: () => false,
      serveTls: note('tls'),
      serveHttp: note('http'),
      serveProxy: note('proxy'),
      ...options.inspector,
    },
    resolver: {
      resolve(name, signal) {
        lookedUp.push(name)
        return names.resolve(name, signal)
      },
    },
    ownAddresses: () => (options.own ?? []).flatMap((text) => parseIpAddress(text) ?? []),
    clock: systemClock,
    logger,
  })

  const clients: Duplex[] = []
  function client(serve: (stream: Duplex) => void): Duplex {
    const [inside, outside] = duplexPair()
    clients.push(inside, outside)
    // As the guest does: what does not end in order is reset.
    outside.once('close', () => {
      if (!outside.readableEnded || !outside.writableFinished) inside.destroy()
    })
    serve(outside)
    return inside
  }

  return {
    session,
    recording,
    lines: logger.lines,
    asked,
    lookedUp,
    inspected,
    tunnel: (target) => client((stream) => session.tunnel(stream, { via: 'name', ...target })),
    proxy: () => client((stream) => session.proxy(stream)),
    [Symbol.dispose]() {
      session[Symbol.dispose]()
      denials[Symbol.dispose]()
      for (const each of clients) each.destroy()
    },
  }
}

/** A rule as it would stand in an allowlist. */
export function ruleOf(text: string): NetworkRule {
  const entry = parseNetworkEntry(text)
  if ('message' in entry) throw new Error(entry.message)
  return { ...entry, text, field: 'network.allowlist[0]' }
}

/** Permits what a rule covers, or with mode `deny` everything. */
export const policyOf = (rules: readonly NetworkRule[], mode: EgressPlan['mode']): AgentPolicy => ({
  decide(request) {
    if (request.action !== 'network.connect') return { allow: true, policies: [], because: 'test' }
    const { host, port } = request
    const rule = rules.find((each) => ruleCovers(each, host, port))
    return rule !== undefined || mode === 'deny'
      ? { allow: true, policies: [rule?.text ?? 'everything'], because: 'A rule covers it.' }
      : { allow: false, policies: [], because: `No rule permits ${host}:${port}.` }
  },
})

const resolverOf = (names: Readonly<Record<string, readonly string[]>>): NameResolver => ({
  async resolve(name) {
    return (names[name] ?? []).flatMap((text): readonly IpAddress[] => {
      const address = parseIpAddress(text)
      return address === undefined ? [] : [address]
    })
  },
})

/** A server on the loopback that keeps its connections. */
export interface LoopbackServer extends AsyncDisposable {
  readonly port: number
  readonly sockets: readonly Socket[]
}

export async function openLoopbackServer(
  serve: (socket: Socket) => void,
  host = '127.0.0.1',
): Promise<LoopbackServer> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  return {
    sockets,
    ...(await listening(server, host)),
    [Symbol.asyncDispose]: () => close(server, sockets),
  }
}

async function listening(server: Server, host: string): Promise<{ readonly port: number }> {
  server.listen(0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port }
}

async function close(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy()
  const closed = once(server, 'close')
  server.close()
  await closed
}
