import type { IncomingMessage } from 'node:http'
import type { HttpRequestFacts } from '@aegis/core'
import { inspectLimits } from '../inspect-limits.ts'
import { authorityOf, type Origin, parseAuthority, sameOrigin } from './authority.ts'
import { endToEnd, type Headers, valuesOf } from './header-list.ts'
import { readOverrides } from './overrides.ts'
import { readPath } from './path-readings.ts'
import { requestFault } from './request-fault.ts'

/** A request that every server reads alike, ready to be passed on. */
export interface RequestHead {
  readonly origin: Origin
  readonly method: string
  /** Path and query, as they are sent. */
  readonly target: string
  readonly headers: Headers
  readonly body: 'none' | 'chunked' | { readonly length: number }
  /** It asks for a websocket. */
  readonly websocket: boolean
  /** What the policy is asked: all of them have to be permitted. */
  readonly facts: readonly [HttpRequestFacts, ...HttpRequestFacts[]]
}

/**
 * Checks the head of a request that was sent to `origin`; to a proxy, where it is undefined.
 * @throws AegisError `invalid` / `egress.request-smuggling`, `egress.path`, `egress.proxy-form`;
 * `denied` / `egress.host-mismatch`, `egress.method`
 */
export function readHead(incoming: IncomingMessage, fixed: Origin | undefined): RequestHead {
  const headers = pairsOf(incoming.rawHeaders)
  const method = incoming.method ?? ''
  if (method === 'TRACE' || method === 'CONNECT') {
    throw requestFault('denied', 'egress.method', `Requests with ${method} are not passed on.`, {
      status: 405,
      record,
    })
  }
  const body = framing(incoming, headers)
  const { origin, target } = readTarget(incoming.url ?? '', headers, fixed)
  const end = target.indexOf('?')
  const path = readPath(end < 0 ? target : target.slice(0, end))
  if (path === undefined) {
    throw requestFault(
      'invalid',
      'egress.path',
      'Servers read this path differently: it has dot segments, broken escapes or control characters.',
      { remedy: 'Send it in its plain form, as URL libraries write it.', record },
    )
  }
  const websocket = asksForWebsocket(method, headers, body)
  const kept = endToEnd(headers).filter(([name]) => !replaced.has(name.toLowerCase()))
  const overrides = readOverrides(kept)
  if (overrides === undefined) {
    throw smuggled('A header names another method or path, in no form that could be asked about.')
  }
  const facts = (reading: string, path: string): HttpRequestFacts => ({
    method: reading,
    path,
    headers: factsOf(kept),
  })
  const paths = [path.written, ...path.lenient, ...overrides.paths]
  const more = [method, ...overrides.methods].flatMap((each) =>
    paths.map((one) => facts(each, one)),
  )
  return {
    origin,
    method,
    target,
    headers: [['Host', authorityOf(origin)], ...kept],
    body,
    websocket,
    facts: [facts(method, path.written), ...more.slice(1)],
  }
}

const record = 'network.connect'

/** Written anew. */
const replaced = new Set(['host', 'content-length', 'expect'])

function framing({ httpVersion }: IncomingMessage, headers: Headers): RequestHead['body'] {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    throw smuggled('It is of no version of HTTP/1.')
  if (httpVersion === '1.1' && valuesOf(headers, 'host').length === 0) {
    throw smuggled('It names no host.')
  }
  if (headers.length > inspectLimits.headerCount) throw tooMany()
  for (const [name, value] of headers) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || !/^[\t -~\x80-\xff]*$/.test(value)) {
      throw smuggled('A header has characters that none may have.')
    }
  }
  const [coding, ...moreCodings] = valuesOf(headers, 'transfer-encoding')
  const [length, ...moreLengths] = valuesOf(headers, 'content-length')
  if (moreCodings.length > 0 || moreLengths.length > 0) {
    throw smuggled('It says more than once how long it is.')
  }
  if (coding !== undefined) {
    if (length !== undefined) throw smuggled('It has both a length and a transfer coding.')
    if (httpVersion !== '1.1') throw smuggled('HTTP/1.0 has no transfer codings.')
    if (coding.trim().toLowerCase() !== 'chunked') {
      throw smuggled('A request is sent chunked, or with its length.')
    }
    return 'chunked'
  }
  if (length === undefined) return 'none'
  if (!/^\d{1,15}$/.test(length)) throw smuggled('Its length is not a number.')
  return Number(length) === 0 ? 'none' : { length: Number(length) }
}

function readTarget(
  target: string,
  headers: Headers,
  fixed: Origin | undefined,
): { origin: Origin; target: string } {
  const [host, ...more] = valuesOf(headers, 'host')
  if (more.length > 0) throw smuggled('It names more than one host.')
  if (!/^[!-~]+$/.test(target)) throw smuggled('Its target has characters that none may have.')
  const [, scheme, authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(target) ?? []
  if (scheme === undefined) {
    if (fixed === undefined) throw notForProxy(target)
    if (!target.startsWith('/')) throw smuggled('Its target is neither a path nor a URL.')
    if (host !== undefined) requireOrigin(host, fixed)
    return { origin: fixed, target }
  }
  const origin = originOf(scheme.toLowerCase() === 'https' ? 'https' : 'http', authority)
  if (origin === undefined) throw smuggled('The URL in its first line names no host.')
  if (fixed === undefined && origin.scheme === 'https') throw notForProxy(target)
  if (fixed !== undefined && (origin.scheme !== fixed.scheme || !sameOrigin(origin, fixed))) {
    throw mismatch(authority, fixed)
  }
  if (host !== undefined) requireOrigin(host, origin)
  return { origin, target: rest.startsWith('/') ? rest : `/${rest}` }
}

function originOf(scheme: Origin['scheme'], authority: string): Origin | undefined {
  const parsed = parseAuthority(authority, scheme === 'https' ? 443 : 80)
  return parsed && { scheme, ...parsed }
}

function requireOrigin(host: string, origin: Origin): void {
  const named = originOf(origin.scheme, host.trim())
  if (named === undefined || !sameOrigin(named, origin)) throw mismatch(host, origin)
}

const mismatch = (named: string, origin: Origin) =>
  requestFault(
    'denied',
    'egress.host-mismatch',
    `The request names the host "${named.slice(0, 253)}", but the connection was opened to ${authorityOf(origin)}.`,
    { status: 421, remedy: 'Open a connection to the host that the request is for.', record },
  )

const notForProxy = (target: string) =>
  target.startsWith('https:')
    ? requestFault('invalid', 'egress.proxy-form', 'The proxy does not speak TLS for a client.', {
        remedy: 'Send CONNECT host:443, as clients do that know the proxy as HTTPS_PROXY.',
        record,
      })
    : requestFault('invalid', 'egress.proxy-form', 'To a proxy a request has to name its host.', {
        remedy: 'Send a whole URL (GET http://example.com/ HTTP/1.1), or CONNECT host:port.',
        record,
      })

const tooMany = () =>
  requestFault(
    'invalid',
    'egress.head-too-large',
    `A request has at most ${inspectLimits.headerCount} headers.`,
    { status: 431, record },
  )

const smuggled = (message: string) =>
  requestFault(
    'invalid',
    'egress.request-smuggling',
    `Servers read this request differently. ${message}`,
    { record },
  )

function asksForWebsocket(method: string, headers: Headers, body: RequestHead['body']): boolean {
  const upgrade = valuesOf(headers, 'upgrade').join(',').trim().toLowerCase()
  if (upgrade !== 'websocket') return false
  const asked = valuesOf(headers, 'connection')
    .join(',')
    .toLowerCase()
    .split(/\s*,\s*/)
  if (method === 'GET' && body === 'none' && asked.includes('upgrade')) return true
  throw smuggled('A websocket is asked for with GET and no body.')
}

function factsOf(headers: Headers): Record<string, string> {
  const facts: Record<string, string> = Object.create(null)
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    const before = facts[key]
    facts[key] = before === undefined ? value : `${before}, ${value}`
  }
  return { ...facts }
}

function pairsOf(raw: readonly string[]): Headers {
  return Array.from({ length: raw.length / 2 }, (_, at) => [
    raw[2 * at] ?? '',
    raw[2 * at + 1] ?? '',
  ])
}
