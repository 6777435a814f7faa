import { once } from 'node:events'
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Duplex, Readable } from 'node:stream'
import type { EngineEndpoint } from './engine-endpoint.ts'
import {
  engineNonsense,
  engineRefused,
  engineTooSlow,
  engineUnreachable,
} from './engine-failure.ts'

/** One request of the Engine API. */
export interface EngineRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
  /** Without the version, and encoded: `/containers/json`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: object
  /** Sent as it is, in the place of `body`. */
  readonly bytes?: { readonly content: Uint8Array | Readable; readonly type: string }
  /** Until the answer begins, and is complete where it is not a stream. Default 60,000. */
  readonly timeoutMs?: number
  /** Longest answer that is no stream, in bytes. Default 16 MiB. */
  readonly answerMaxBytes?: number
}

/** An HTTP connection that was handed over: both ends may speak now. */
export interface Upgraded {
  readonly socket: Duplex
  /** What came with the answer. */
  readonly head: Buffer
}

/** HTTP to one engine, without any knowledge of its API. */
export interface EngineTransport {
  /** Resolves when the answer begins, with a good status. Aborting destroys it at any time. */
  send(request: EngineRequest, signal: AbortSignal): Promise<IncomingMessage>
  /** The whole of an answer. */
  text(request: EngineRequest, signal: AbortSignal): Promise<{ text: string; headers: Headers }>
  upgrade(request: EngineRequest, signal: AbortSignal): Promise<Upgraded>
  close(): void
}

type Headers = IncomingMessage['headers']

const defaultTimeoutMs = 60_000

/** Longest answer that is no stream. */
export const answerMaxBytes = 16 << 20

/** Longest explanation of a refusal that is read. */
const refusalMaxBytes = 64 << 10

export function openEngineTransport(endpoint: EngineEndpoint): EngineTransport {
  const open = requester(endpoint)

  const start = (request: EngineRequest, headers: object, signal: AbortSignal) => {
    const outgoing = open.request({
      method: request.method,
      path: withQuery(request),
      headers: { ...bodyHeaders(request), ...request.headers, ...headers },
      signal,
    })
    // Whoever waits for an answer hears of errors; what comes after it ends the answer too.
    outgoing.on('error', () => {})
    const { body, bytes } = request
    if (bytes === undefined) outgoing.end(body && JSON.stringify(body))
    else if (bytes.content instanceof Uint8Array) outgoing.end(bytes.content)
    else {
      bytes.content.on('error', (error) => outgoing.destroy(error))
      bytes.content.pipe(outgoing)
    }
    return outgoing
  }

  const transport: EngineTransport = {
    async send(request, signal) {
      const name = nameOf(request)
      const again = request.method === 'GET' || request.method === 'DELETE'
      for (let attempt = 0; ; attempt++) {
        const outgoing = start(request, {}, signal)
        try {
          const incoming = await answerOf(outgoing)
          await mustBeGood(name, incoming)
          return incoming
        } catch (cause) {
          signal.throwIfAborted()
          // The engine closed a connection of earlier times just when it was used again.
          if (attempt === 0 && again && outgoing.reusedSocket && isReset(cause)) continue
          throw translated(endpoint, cause)
        }
      }
    },

    async text(request, signal) {
      const name = nameOf(request)
      const timeoutMs = request.timeoutMs ?? defaultTimeoutMs
      const deadline = deadlineOf(timeoutMs)
      try {
        const incoming = await transport.send(request, AbortSignal.any([signal, deadline.signal]))
        const text = await readText(name, incoming, request.answerMaxBytes ?? answerMaxBytes)
        return { text, headers: incoming.headers }
      } catch (cause) {
        signal.throwIfAborted()
        if (deadline.signal.aborted) throw engineTooSlow(name, timeoutMs)
        throw translated(endpoint, cause)
      } finally {
        deadline.clear()
      }
    },

    async upgrade(request, signal) {
      const name = nameOf(request)
      const timeoutMs = request.timeoutMs ?? defaultTimeoutMs
      const deadline = deadlineOf(timeoutMs)
      const upgrading = { connection: 'Upgrade', upgrade: 'tcp' }
      // Without a connection of its own, the answer would be a body without an end.
      const outgoing = start(request, upgrading, AbortSignal.any([signal, deadline.signal]))
      try {
        return await new Promise<Upgraded>((resolve, reject) => {
          outgoing.once('upgrade', (_, socket, head) => resolve({ socket, head }))
          outgoing.once('error', reject)
          outgoing.once('response', (incoming) => {
            mustBeGood(name, incoming)
              .then(() => reject(engineNonsense(name, 'it does not hand the connection over')))
              .catch(reject)
              .finally(() => incoming.destroy())
          })
        })
      } catch (cause) {
        signal.throwIfAborted()
        if (deadline.signal.aborted) throw engineTooSlow(name, timeoutMs)
        throw translated(endpoint, cause)
      } finally {
        deadline.clear()
      }
    },

    close: () => open.close(),
  }
  return transport
}

/** Unreachable, unless it is something more exact already. */
export function translated(endpoint: EngineEndpoint, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause.name === 'AegisError') return cause
  return engineUnreachable(endpoint, cause)
}

export const nameOf = ({ method, path }: EngineRequest): string => `${method} ${path}`

function requester(endpoint: EngineEndpoint) {
  const keeping = { keepAlive: true, maxFreeSockets: 16 }
  if (endpoint.kind === 'unix') {
    const { socketPath } = endpoint
    const agent = new HttpAgent(keeping)
    return {
      request: (options: object) => httpRequest({ ...options, agent, socketPath }),
      close: () => agent.destroy(),
    }
  }
  const { host, port, tls } = endpoint
  if (tls === undefined) {
    const agent = new HttpAgent(keeping)
    return {
      request: (options: object) => httpRequest({ ...options, agent, host, port }),
      close: () => agent.destroy(),
    }
  }
  // HTTP/2 knows no upgrade.
  const agent = new HttpsAgent({ ...keeping, ...tls, ALPNProtocols: ['http/1.1'] })
  return {
    request: (options: object) => httpsRequest({ ...options, agent, host, port }),
    close: () => agent.destroy(),
  }
}

function bodyHeaders({ body, bytes }: EngineRequest): Record<string, string> {
  if (bytes !== undefined) return { 'content-type': bytes.type }
  return body === undefined ? {} : { 'content-type': 'application/json' }
}

async function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [incoming]: IncomingMessage[] = await once(outgoing, 'response')
  if (incoming === undefined) throw new Error('An answer without a message')
  return incoming
}

function withQuery({ path, query = {} }: EngineRequest): string {
  const search = new URLSearchParams()
  for (const [name, values] of Object.entries(query))
    for (const value of [values].flat()) search.append(name, value)
  return search.size === 0 ? path : `${path}?${search}`
}

async function mustBeGood(name: string, incoming: IncomingMessage): Promise<void> {
  const { statusCode: status = 0 } = incoming
  if (status >= 200 && status < 300) return
  throw engineRefused(name, status, await readText(name, incoming, refusalMaxBytes))
}

async function readText(name: string, incoming: IncomingMessage, maxBytes: number) {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    bytes += chunk.length
    if (bytes > maxBytes) throw engineNonsense(name, `it is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function deadlineOf(timeoutMs: number): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController()
  const timer = Number.isFinite(timeoutMs)
    ? setTimeout(() => controller.abort(), timeoutMs)
    : undefined
  return { signal: controller.signal, clear: () => clearTimeout(timer) }
}

function isReset(cause: unknown): boolean {
  return (
    cause instanceof Error && 'code' in cause && ['ECONNRESET', 'EPIPE'].includes(`${cause.code}`)
  )
}
