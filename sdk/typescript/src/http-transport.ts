import { AegisError, type Secret } from '@aegis/core'
import { makeMessageParser, type StreamMessage } from '@aegis/http-contract'
import type { ZodType } from 'zod'
import { isNetworkFailure, readProblem } from './read-problem.ts'

export type Fetch = typeof globalThis.fetch

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/api`, already encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly body?: unknown
  /** In the place of `body`: sent piece by piece, as a tar archive. */
  readonly archive?: AsyncIterable<Uint8Array>
  /** Of a body that is sent as the text that it is; absent: it is sent as JSON. */
  readonly contentType?: string | undefined
  readonly signal?: AbortSignal
}

export interface StreamCall extends Call {
  /** Resumes behind this message. */
  readonly lastEventId?: string | undefined
  readonly signal: AbortSignal
}

/** Requests to one node, with their failures as AegisErrors. */
export interface HttpTransport {
  readonly url: string
  /** @throws AegisError what the node answered · `node.unreachable` · `node.bad-answer` · `node.slow` */
  call<Answer>(call: Call, schema: ZodType<Answer>): Promise<Answer>
  /** The bytes of an answer that is no JSON, at most 32 MiB. @throws as `call` */
  bytes(call: Call): Promise<Uint8Array>
  /** Resolves once the node has answered; the messages fail when the connection breaks. */
  stream(call: StreamCall): Promise<AsyncIterable<StreamMessage>>
}

interface TransportOptions {
  readonly url: string
  readonly token: Secret
  readonly fetch: Fetch
  readonly timeoutMs: number
}

export function makeHttpTransport(options: TransportOptions): HttpTransport {
  const base = baseUrl(options.url)

  async function send(call: Call, headers: Record<string, string>, signal: AbortSignal) {
    const response = await options.fetch(urlOf(base, call), {
      method: call.method,
      headers: {
        authorization: `Bearer ${options.token.reveal()}`,
        ...(call.body === undefined
          ? {}
          : { 'content-type': call.contentType ?? 'application/json' }),
        ...(call.archive === undefined ? {} : { 'content-type': 'application/x-tar' }),
        ...headers,
      },
      redirect: 'error', // The token is for this node and no other.
      signal,
      ...(call.body === undefined ? {} : { body: textOf(call) }),
      ...(call.archive === undefined ? {} : streamOf(call.archive)),
    })
    if (!response.ok) throw await readProblem(response)
    return response
  }

  async function inTime<Answer>(
    call: Call,
    accept: string,
    read: (response: Response) => Promise<Answer>,
  ): Promise<Answer> {
    const deadline = AbortSignal.timeout(options.timeoutMs)
    const signal = call.signal === undefined ? deadline : AbortSignal.any([call.signal, deadline])
    try {
      return await read(await send(call, { accept }, signal))
    } catch (error) {
      call.signal?.throwIfAborted()
      if (deadline.aborted) throw slow(call, options.timeoutMs)
      throw translate(error, call, base)
    }
  }

  return {
    url: base,

    async call(call, schema) {
      const answer = await inTime(call, 'application/json', (response) =>
        response.status === 204 ? Promise.resolve(undefined) : response.json(),
      )
      const parsed = schema.safeParse(answer)
      if (!parsed.success) throw badAnswer(call, base, parsed.error)
      return parsed.data
    },

    bytes: (call) => inTime(call, '*/*', (response) => readBytes(response)),

    async stream({ lastEventId, ...call }) {
      const { signal } = call
      try {
        const response = await send(
          call,
          {
            accept: 'text/event-stream',
            ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
          },
          signal,
        )
        return readMessages(response)
      } catch (error) {
        signal.throwIfAborted()
        throw translate(error, call, base)
      }
    },
  }
}

const maxAnswerBytes = 32 * 1024 * 1024

/** @throws SyntaxError when there are too many */
async function readBytes({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > maxAnswerBytes)
      throw new SyntaxError(`An answer of more than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const textOf = ({ body, contentType }: Call): string =>
  contentType === undefined ? JSON.stringify(body) : String(body)

/** `duplex` is what the standard wants said of a body that is a stream. */
const streamOf = (archive: AsyncIterable<Uint8Array>): object => ({
  body: ReadableStream.from(archive),
  duplex: 'half',
})

async function* readMessages(response: Response): AsyncGenerator<StreamMessage> {
  if (response.body === null) return
  const parse = makeMessageParser()
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) yield* parse(chunk)
}

function baseUrl(text: string): string {
  const url = URL.parse(text)
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) {
    return url.href.replace(/\/+$/, '')
  }
  throw new AegisError(
    'invalid',
    'node.url',
    `"${text}" is not the address of a node. It looks like http://127.0.0.1:8000`,
  )
}

function urlOf(base: string, { path, query }: Call): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(key, String(value))
  }
  return `${base}/api${path}${search.size === 0 ? '' : `?${search}`}`
}

function translate(error: unknown, call: Call, base: string): unknown {
  if (error instanceof AegisError) return error
  if (error instanceof SyntaxError) return badAnswer(call, base, error)
  if (!isNetworkFailure(error)) return error
  const reason = reasonOf(error)
  return new AegisError(
    'unavailable',
    'node.unreachable',
    `No node answers at ${base}${reason === undefined ? '' : ` (${reason})`}. Start one with aegis daemon start, or check the address.`,
    { cause: error, details: { url: base } },
  )
}

/** The operating system's word, such as ECONNREFUSED. */
function reasonOf(error: TypeError): string | undefined {
  const { cause } = error
  if (!(cause instanceof Error) || !('code' in cause)) return undefined
  return typeof cause.code === 'string' ? cause.code : undefined
}

const badAnswer = (call: Call, base: string, cause: unknown): AegisError =>
  new AegisError(
    'unavailable',
    'node.bad-answer',
    `${base} answered ${call.method} /api${call.path} with something this client does not understand. Check that an AEGIS node of the same version listens there.`,
    { cause },
  )

const slow = (call: Call, timeoutMs: number): AegisError =>
  new AegisError(
    'timeout',
    'node.slow',
    `The node did not answer ${call.method} /api${call.path} within ${timeoutMs / 1000} s. Look at its log: aegis daemon status`,
  )
