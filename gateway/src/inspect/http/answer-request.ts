import type { IncomingMessage, ServerResponse } from 'node:http'
import { AegisError, type AgentRequest, type PolicyDecision } from '@aegis/core'
import type { EgressSession } from '../../egress/egress-session.ts'
import { subjectOf } from '../../egress/subject-of.ts'
import { inspectLimits } from '../inspect-limits.ts'
import { PlaceholderLeak } from '../placeholder-scanner.ts'
import type { SecretWatch } from '../secret-watch.ts'
import { secretsBoundTo, withoutForeignCredentials } from '../secrets/guard-secrets.ts'
import { type Injection, planInjection } from '../secrets/plan-injection.ts'
import type { Origin } from './authority.ts'
import { type Answer, exchange, isRepeatable, type SentRequest } from './exchange.ts'
import type { Headers } from './header-list.ts'
import { readWhole } from './read-whole.ts'
import { relayWebsocket, type WebsocketEnd } from './relay-websocket.ts'
import { deniedByPolicy, requestFault } from './request-fault.ts'
import { type RequestHead, readHead } from './request-head.ts'
import { sendResponse } from './send-response.ts'
import type { OpenLine, UpstreamLine } from './upstream-line.ts'

/** Whose request it is, and which way it goes. */
export interface Asking {
  readonly session: EgressSession
  /** Whom the client believes to talk to; undefined: a proxy. */
  readonly origin: Origin | undefined
  readonly line: UpstreamLine
  readonly watch: SecretWatch | undefined
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal
}

export interface Asked {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The client's end, where the request asks for another protocol. */
  readonly upgrade: WebsocketEnd | undefined
}

/**
 * Asks the policy about one request, and only then sends it, with its secrets, and passes the answer
 * on. Resolves once that is done.
 * @throws AegisError whatever the client is to be told, before or after it was told anything
 */
export async function answerRequest(asking: Asking, asked: Asked): Promise<void> {
  const { session, watch } = asking
  const { incoming } = asked
  const head = readHead(incoming, asking.origin)
  const headers = adapted(head, watch)
  const injection = watch && injectionFor(watch, head, headers)
  const decision = permitRequest(session, head)
  const policies = injection && permitSecrets(session, head, injection)

  const expects = /^100-continue$/i.test(incoming.headers.expect ?? '')
  if (expects) asked.outgoing.writeContinue()
  const scanner = watch?.scanner.stream()
  const { signedBodyBytes: maxBytes } = inspectLimits
  using held = watch?.bodies.hold()
  const content =
    injection?.needsBody && scanner !== undefined && held !== undefined
      ? await readWhole(incoming, scanner, { maxBytes, held })
      : undefined

  for (let attempt = 1; ; attempt++) {
    const line = await asking.line.reach(head.origin, decision, asking.signal)
    await recordUses(session, head, line, injection, policies)
    const injected = injection?.reveal(head.method, content ?? Buffer.alloc(0)) ?? {
      target: head.target,
      headers,
    }
    const sent: SentRequest = { ...head, ...injected, content }
    const failed = (error: Error) => {
      if (asked.outgoing.headersSent) asked.outgoing.destroy(error)
      line.end(causeOf(error))
    }
    try {
      const options = { line, incoming, scanner, signal: asking.signal }
      const answer = await exchange(sent, options, failed)
      return await passOn(answer, asking, asked, head, line)
    } catch (error) {
      line.end(causeOf(error))
      // A server may hang up between two requests, just as the next one is on its way.
      const again = line.used && attempt === 1 && isRepeatable(sent)
      if (!again || asked.outgoing.headersSent || asking.signal.aborted) throw error
    }
  }
}

/** A request whose answer is searched for secrets asks for one that can be: plain, and whole. */
function adapted(head: RequestHead, watch: SecretWatch | undefined): Headers {
  if (watch === undefined) return websocketHeaders(head, head.headers)
  const bound = secretsBoundTo(watch.secrets, head.origin)
  const own =
    bound.length > 0 ? withoutForeignCredentials(head.headers, watch.scanner) : head.headers
  // A host that gets a value could be asked for its echo a few bytes at a time. Of a key of AWS it
  // gets no more than a signature.
  const getsValue = bound.some(({ places }) => places.some((place) => place !== 'sigv4'))
  const dropped = new Set([...ofPacking, ...(getsValue ? ofParts : [])])
  const readable = own.filter(([name]) => !dropped.has(name.toLowerCase()))
  return websocketHeaders(head, [...readable, ['Accept-Encoding', 'identity']])
}

const ofPacking = ['accept-encoding', 'sec-websocket-extensions']
const ofParts = ['range', 'if-range']

const websocketHeaders = ({ websocket }: RequestHead, headers: Headers): Headers =>
  websocket ? headers : headers.filter(([name]) => !name.toLowerCase().startsWith('sec-websocket-'))

function injectionFor(
  watch: SecretWatch,
  { origin, target }: RequestHead,
  headers: Headers,
): Injection {
  const { scanner, secrets } = watch
  const leaked = scanner.find(origin.host)
  if (leaked !== undefined) throw new PlaceholderLeak(leaked)
  return planInjection({ target, headers }, secretsBoundTo(secrets, origin), scanner)
}

/** Every reading of the path has to be permitted; the decision on what is written is the one told. */
function permitRequest(session: EgressSession, { origin, facts }: RequestHead): PolicyDecision {
  const { host, port } = origin
  const [decision] = facts.map((http) =>
    require(session, 'egress', { action: 'network.connect', host, port, http }),
  )
  if (decision === undefined) throw new Error('A request without a path')
  return decision
}

function permitSecrets(
  session: EgressSession,
  { origin: { host, port } }: RequestHead,
  { uses }: Injection,
): readonly PolicyDecision[] {
  return uses.map(({ secret }) =>
    require(session, 'secret', { action: 'secret.use', secret: secret.name, host, port }),
  )
}

function require(
  session: EgressSession,
  area: 'egress' | 'secret',
  request: AgentRequest,
): PolicyDecision {
  const decision = session.permit(request)
  if (!decision.allow) throw deniedByPolicy(area, decision)
  return decision
}

async function recordUses(
  { recorder }: EgressSession,
  { origin: { host, port }, method, facts }: RequestHead,
  { connection }: OpenLine,
  injection: Injection | undefined,
  decisions: readonly PolicyDecision[] = [],
): Promise<void> {
  const [{ path }] = facts
  for (const [index, { secret, place }] of (injection?.uses ?? []).entries()) {
    const { policies = [] } = decisions[index] ?? {}
    const use = { secret: secret.name, connection, host, port, place, method, path, policies }
    await recorder.secretUsed(use)
  }
}

async function passOn(
  answer: Answer,
  { watch }: Asking,
  { incoming, outgoing, upgrade }: Asked,
  { method }: RequestHead,
  line: OpenLine,
): Promise<void> {
  const { response } = answer
  if (answer.kind === 'response') {
    const last = upgrade !== undefined
    const options = { method, redactor: watch?.redactor, last }
    await sendResponse(response, outgoing, options).catch((error: unknown) => {
      throw failureOf(error)
    })
    // Answered early: what is still to come is of no use to anybody.
    if (!incoming.complete) line.end()
    return
  }
  if (upgrade === undefined) throw new Error('An upgrade that nobody asked for')
  await relayWebsocket({ response, client: upgrade, server: answer, guards: watch })
  line.end()
}

/** What Node says of an answer is its server's doing: a bad status or name, a broken packing, an early end. */
function failureOf(error: unknown): unknown {
  const known = error instanceof Error && !(error instanceof AegisError) && 'code' in error
  if (!known) return error
  const message = `The answer of the server cannot be passed on: ${error.message}`
  return requestFault('unavailable', 'egress.upstream-failed', message, { cause: error })
}

const causeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && /^(egress|secret)\./.test(String(error.code))
    ? String(error.code)
    : undefined

export const subjectOfLeak = ({ secret }: PlaceholderLeak, { host, port }: Origin): string =>
  `${secret.name} -> ${subjectOf(host, port)}`
