import { setTimeout as delay } from 'node:timers/promises'
import { type Api, type ApiOptions, openApi } from '@aegis/api'
import {
  type Authenticate,
  type Clock,
  type Logger,
  localActor,
  type NewToken,
  type PolicyEngine,
  type Role,
  type Scope,
} from '@aegis/core'
import { openPolicies } from '@aegis/core/testing'
import { isOwnToken, openTokenAuthenticator } from '@aegis/security'
import { type MemoryNode, openMemoryNode } from '../contract/control-plane-host.ts'

export const homeToken = 'h'.repeat(43)

interface Options {
  readonly rates?: Partial<ApiOptions['rates']>
  readonly policies?: PolicyEngine
  /** Asked for what is none of the node's own tokens. */
  readonly provider?: (deps: { readonly clock: Clock; readonly logger: Logger }) => Authenticate
  readonly network?: Partial<ApiOptions['network']>
  readonly allowedHosts?: readonly string[]
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: ReturnType<typeof JSON.parse>
}

export interface Ask {
  readonly token?: string | undefined
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A node in memory behind a real port, with real tokens, and an audit that can be read. */
export interface AccessScene extends AsyncDisposable {
  readonly node: MemoryNode
  readonly api: Api
  readonly audit: MemoryNode['audit']
  /** What was logged as a warning or an error. */
  readonly complaints: readonly object[]
  /** A fresh token. */
  token(role: Role, scope?: Scope, more?: Partial<NewToken>): Promise<string>
  ask(route: string, ask?: Ask): Promise<Answer>
  /** Lets time pass for tokens and limits. */
  advance(ms: number): void
  /** Ends the period in which refusals are counted together. */
  nextSecond(): Promise<void>
}

export async function openAccessScene(options: Options = {}): Promise<AccessScene> {
  await using undo = new AsyncDisposableStack()
  const node = undo.use(
    await openMemoryNode(options.policies === undefined ? {} : { policies: options.policies }),
  )
  let passedMs = 0
  const sleepers: (() => void)[] = []
  const clock: Clock = {
    now: () => new Date(Date.now() + passedMs).toISOString(),
    monotonicMs: () => performance.now() + passedMs,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        sleepers.push(resolve)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
  const complaints: object[] = []
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (fields) => complaints.push(fields),
    error: (fields) => complaints.push(fields),
  }
  const { tokens } = node.store
  const given = undo.use(openTokenAuthenticator({ tokens, clock, logger }))
  const { provider: open = () => async () => ({ refused: 'unknown' as const }) } = options
  const provider = open({ clock, logger })
  const authenticate: Authenticate = async (token) =>
    isOwnToken(token)
      ? given.authenticate(token)
      : token === homeToken
        ? { actor: localActor }
        : provider(token)
  const api = undo.use(
    await openApi({
      node: node.node,
      authenticate,
      policies: options.policies ?? openPolicies,
      audit: node.audit,
      clock,
      rates: { requestsPerMinute: 100_000, failuresPerMinute: 100_000, ...options.rates },
      network: { bindAddress: '127.0.0.1', port: 0, ...options.network },
      allowedHosts: options.allowedHosts ?? [],
      version: '0.1.0',
      logger,
      ready: () => true,
    }),
  )
  const resources = undo.move()
  let made = 0
  return {
    node,
    api,
    audit: node.audit,
    complaints,
    async token(role, scope, more = {}) {
      const request = { name: `t${++made}`, role, ...(scope && { scope }), ...more }
      return (await node.plane.tokens.create(request)).text.reveal()
    },
    ask: (route, ask) => askNode(api.url, route, ask),
    advance(ms) {
      passedMs += ms
    },
    async nextSecond() {
      for (const wake of sleepers.splice(0)) wake()
      await delay(0)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** One request; of an event stream only the head is read. */
async function askNode(url: string, route: string, ask: Ask = {}): Promise<Answer> {
  const { token, body, headers } = ask
  const [method = 'GET', path = '/'] = route.split(' ')
  const answer = await fetch(new URL(path, url), {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const type = answer.headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream')) await answer.body?.cancel()
  const text = type.includes('json') ? await answer.json() : undefined
  return { status: answer.status, headers: answer.headers, body: text }
}
