import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import type { Duplex, Transform } from 'node:stream'
import { AegisError } from '@aegis/core'
import { inspectLimits } from '../inspect-limits.ts'
import type { Headers } from './header-list.ts'
import { requestFault } from './request-fault.ts'
import type { RequestHead } from './request-head.ts'
import type { OpenLine } from './upstream-line.ts'

/** A request as it is sent; all of it has been permitted. */
export interface SentRequest {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body: RequestHead['body']
  /** Where it is known already; else the body comes from the client. */
  readonly content: Uint8Array | undefined
  readonly websocket: boolean
}

export type Answer =
  | { readonly kind: 'response'; readonly response: IncomingMessage }
  /** The server speaks websocket from here on; `head` is its beginning. */
  | {
      readonly kind: 'upgraded'
      readonly response: IncomingMessage
      readonly stream: Duplex
      readonly head: Buffer
    }

export interface ExchangeOptions {
  readonly line: OpenLine
  readonly incoming: IncomingMessage
  /** What the client's body passes through. */
  readonly scanner: Transform | undefined
  readonly signal: AbortSignal
}

/**
 * Sends a request, and gives the head of its answer, which may come before the request has ended. A
 * body that fails on its way destroys the connection: `failed` is then called, also after the answer.
 * @throws AegisError `unavailable` / `egress.upstream-failed` · what `scanner` fails with
 */
export function exchange(
  sent: SentRequest,
  { line, incoming, scanner, signal }: ExchangeOptions,
  failed: (error: Error) => void,
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = request({
    agent: line.agent,
    method: sent.method,
    path: sent.target,
    headers: [...sent.headers, ...connectionHeaders(sent)].flat(),
    maxHeaderSize: inspectLimits.headBytes,
    insecureHTTPParser: false,
  })
  const abort = () => outgoing.destroy(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  outgoing.once('close', () => signal.removeEventListener('abort', abort))
  if (signal.aborted) abort()
  outgoing.maxHeadersCount = 0
  outgoing.on('response', (response) => resolve({ kind: 'response', response }))
  outgoing.on('upgrade', (response, stream, head) => {
    if (sent.websocket) return resolve({ kind: 'upgraded', response, stream, head })
    stream.destroy()
    reject(failure(new Error('it changed to another protocol that nobody asked for')))
  })
  outgoing.on('error', (error) => reject(failure(error)))
  sendBody(outgoing, sent, incoming, scanner, (error) => {
    reject(error)
    outgoing.destroy(error)
    failed(error)
  })
  return promise
}

function connectionHeaders({ body, content, method, websocket }: SentRequest): Headers {
  const connection: Headers = websocket
    ? [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ]
    : [['Connection', 'keep-alive']]
  if (content !== undefined && body !== 'none') {
    return [...connection, ['Content-Length', String(content.length)]]
  }
  if (body === 'chunked') return [...connection, ['Transfer-Encoding', 'chunked']]
  if (body !== 'none') return [...connection, ['Content-Length', String(body.length)]]
  // Without it Node would send an empty body in chunks.
  return /^(POST|PUT|PATCH)$/.test(method) ? [...connection, ['Content-Length', '0']] : connection
}

function sendBody(
  outgoing: ClientRequest,
  { body, content }: SentRequest,
  incoming: IncomingMessage,
  scanner: Transform | undefined,
  failed: (error: Error) => void,
): void {
  if (body === 'none' || content !== undefined) {
    outgoing.end(content ?? '')
    return
  }
  // Not a pipeline: a server that answers early and hangs up must not end the client's connection.
  const source = scanner === undefined ? incoming : incoming.pipe(scanner)
  scanner?.once('error', failed)
  outgoing.once('close', () => incoming.unpipe())
  source.pipe(outgoing)
}

function failure(cause: Error & { readonly code?: unknown }): Error {
  if (cause instanceof AegisError) return cause
  const garbage = String(cause.code ?? '').startsWith('HPE_')
  const why = garbage ? 'it sent something that is no HTTP/1.1' : cause.message
  return requestFault('unavailable', 'egress.upstream-failed', `The server failed: ${why}.`, {
    cause,
  })
}

/** Whether it can be sent again without harm: the server hung up before it had read it. */
export const isRepeatable = ({ method, body }: Pick<SentRequest, 'method' | 'body'>): boolean =>
  body === 'none' && /^(GET|HEAD|OPTIONS)$/.test(method)
