import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { AegisError } from '@aegis/core'
import { disarm } from '../disarm.ts'
import {
  type Answer,
  fault,
  type QuestionName,
  questions,
  type RequestBody,
  type RequestName,
} from './api-schema.ts'

/**
 * The API of one Firecracker. All calls go over one connection, which is made by the first of them:
 * before a guest runs, so that a monitor which a guest took over cannot lead us to another socket.
 * Methods throw AegisError `unavailable` / `firecracker.refused` with its own words,
 * `firecracker.answer`, `firecracker.gone` · `timeout` / `firecracker.timeout`.
 */
export interface ApiClient extends Disposable {
  /** Requests are answered in the order in which they are made. */
  change<Name extends RequestName>(
    name: Name,
    body: RequestBody<Name>,
    options: CallOptions,
  ): Promise<void>
  ask<Name extends QuestionName>(name: Name, options: CallOptions): Promise<Answer<Name>>
}

export interface CallOptions {
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  /** What `{}` in the path stands for. */
  readonly id?: string
}

const defaultTimeoutMs = 5_000
const answerMaxBytes = 64 << 10

export function openApiClient(socketPath: string): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
  let connections = 0

  const call = async (name: string, body: object | undefined, options: CallOptions) => {
    const { signal, timeoutMs = defaultTimeoutMs, id = '' } = options
    const [method, path = ''] = name.split(' ')
    const deadline = AbortSignal.timeout(timeoutMs)
    const outgoing = request({
      ...{ agent, socketPath, method, path: path.replace('{}', id) },
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      signal: AbortSignal.any([signal, deadline]),
    })
    outgoing.once('socket', (socket) => {
      if (outgoing.reusedSocket) return
      socket.once('connect', () => {
        if (++connections > 1) socket.destroy(new Error('it hung up'))
      })
    })
    outgoing.end(body && JSON.stringify(body))
    try {
      const incoming = await answerOf(outgoing)
      return mustBeGood(name, incoming.statusCode ?? 0, await readText(name, incoming))
    } catch (cause) {
      signal.throwIfAborted()
      if (deadline.aborted) throw tooSlow(name, timeoutMs)
      throw cause instanceof AegisError ? cause : gone(name, cause)
    }
  }

  return {
    async change(name, body, options) {
      await call(name, body, options)
    },
    async ask(name, options) {
      const text = await call(name, undefined, options)
      try {
        // The schema that belongs to the name, which the compiler cannot tell of a generic one.
        return questions[name].parse(JSON.parse(text)) as Answer<typeof name>
      } catch (cause) {
        throw nonsense(name, cause instanceof Error ? cause.message : '')
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

/** What Firecracker said when it refused, if that is what happened. */
export function faultOf(error: unknown): string | undefined {
  if (!(error instanceof AegisError) || error.code !== 'firecracker.refused') return undefined
  const { words } = error.details
  return typeof words === 'string' ? words : undefined
}

async function answerOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  // Heard for as long as the request lives: an 'error' that nobody hears ends the daemon.
  outgoing.on('error', () => {})
  const [incoming]: IncomingMessage[] = await once(outgoing, 'response')
  if (incoming === undefined) throw new Error('An answer without a message')
  return incoming
}

async function readText(name: string, incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    bytes += chunk.length
    if (bytes > answerMaxBytes) throw nonsense(name, `it is longer than ${answerMaxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function mustBeGood(name: string, status: number, text: string): string {
  if (status === 200 || status === 204) return text
  const words = wordsOf(text) || `HTTP status ${status}`
  throw new AegisError(
    'unavailable',
    'firecracker.refused',
    `Firecracker refused ${name}: ${words}`,
    { details: { status, words } },
  )
}

function wordsOf(text: string): string {
  try {
    return disarm(fault.parse(JSON.parse(text)).fault_message)
  } catch {
    return disarm(text)
  }
}

const nonsense = (name: string, because: string): AegisError =>
  new AegisError(
    'unavailable',
    'firecracker.answer',
    `The answer of Firecracker to ${name} cannot be used: ${disarm(because)}. Is firecracker_path really Firecracker?`,
  )

const gone = (name: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'firecracker.gone',
    `Firecracker is gone and did not answer ${name}: ${disarm(cause instanceof Error ? cause.message : String(cause))}`,
    { cause },
  )

const tooSlow = (name: string, timeoutMs: number): AegisError =>
  new AegisError(
    'timeout',
    'firecracker.timeout',
    `Firecracker did not answer ${name} within ${timeoutMs} ms. The host is overloaded, or the machine hangs`,
  )
