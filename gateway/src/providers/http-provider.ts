import type { Readable } from 'node:stream'
import type { Clock, LlmProviderConfig, Logger, Secret } from '@aegis/core'
import { Pool } from 'undici'
import type { ProviderDialect, UpstreamRequest } from '../dialects/provider-dialect.ts'
import { requireTranslatable } from '../dialects/require-translatable.ts'
import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'
import { makeLineSplitter } from '../wire/line-splitter.ts'
import { makeSseSplitter } from '../wire/sse-splitter.ts'
import type { Provider, ProviderChat, ReplyBatch } from './provider.ts'
import { readStream } from './read-stream.ts'
import { retryAfterMs } from './retry-after.ts'
import { networkFault, statusFault } from './upstream-fault.ts'

export interface HttpProviderOptions {
  readonly config: LlmProviderConfig
  readonly endpoint: URL
  readonly dialect: ProviderDialect
  readonly local: boolean
  readonly key: Secret | undefined
  /** Longest wait for the first byte, and between two. */
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

/** A provider that is reached over HTTP, on connections that stay open between calls. */
export function openHttpProvider(options: HttpProviderOptions): Provider {
  const { config, endpoint, dialect, local, key, timeoutMs, clock, logger } = options
  const { name } = config
  const pool = new Pool(endpoint.origin, {
    connections: limits.providerConnections,
    connect: { timeout: limits.connectMs },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: 30_000,
    allowH2: false,
  })
  const basePath = endpoint.pathname.replace(/\/+$/, '')
  const inspect = makeInspector(name, key)

  async function send(
    { path, body }: UpstreamRequest,
    model: string,
    agentHeaders: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Readable> {
    const response = await pool.request({
      method: 'POST',
      path: basePath + path,
      headers: {
        'content-type': 'application/json',
        'user-agent': 'aegis',
        ...dialect.headers(key),
        ...agentHeaders,
      },
      body: JSON.stringify(body),
      signal,
    })
    // Whoever reads the body meets its failure there; one that nobody reads any more is no news.
    response.body.on('error', () => {})
    if (response.statusCode === 200) return response.body
    const text = await readText(response.body)
    throw statusFault({
      provider: name,
      model,
      status: response.statusCode,
      body: key?.redact(text) ?? text,
      retryAfterMs: retryAfterMs(response.headers, new Date(clock.now())),
    })
  }

  /** Makes every failure one that says whose it is, and whether to try again. */
  async function translated<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      signal.throwIfAborted()
      const fault = networkFault(name, error)
      logger.debug({ provider: name, code: fault.code, reason: fault.message }, 'attempt failed')
      throw fault
    }
  }

  async function openStream(
    call: ProviderChat,
    body: Readable,
  ): Promise<AsyncIterable<ReplyBatch>> {
    const batches = readStream(body, {
      splitter: dialect.framing === 'sse' ? makeSseSplitter() : makeLineSplitter(),
      reader: dialect.makeFrameReader(call),
      passThrough: call.original?.dialect === dialect.name,
      inspect,
    })
    // Until the first batch is there, another attempt can still be made.
    const first = await batches.next()
    return replay(first, batches)
  }

  async function* replay(
    first: IteratorResult<ReplyBatch, unknown>,
    rest: AsyncGenerator<ReplyBatch>,
  ): AsyncGenerator<ReplyBatch> {
    try {
      if (first.done === true) return
      yield first.value
      yield* rest
    } catch (error) {
      throw networkFault(name, error)
    } finally {
      await rest.return(undefined)
    }
  }

  return {
    name,
    type: config.type,
    local,
    models: config.models,
    embeds: dialect.embedding !== undefined,

    chat: (call, signal) =>
      translated(signal, async () => {
        const original = call.original?.dialect === dialect.name ? call.original : undefined
        if (original === undefined) requireTranslatable(call.request)
        const headers = original?.headers ?? {}
        const body = await send(dialect.chatRequest(call), call.model, headers, signal)
        if (call.request.stream) return { kind: 'stream', batches: await openStream(call, body) }
        const bytes = await readWhole(body)
        inspect(bytes)
        const answer = dialect.readAnswer(parseReply(bytes))
        return { kind: 'whole', answer, bytes: original === undefined ? undefined : bytes }
      }),

    embed: (call, signal) =>
      translated(signal, async () => {
        const { embedding } = dialect
        if (embedding === undefined) throw noEmbeddings(name)
        const body = await send(embedding.request(call), call.model, {}, signal)
        return embedding.read(parseReply(await readWhole(body)))
      }),

    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}

const noEmbeddings = (name: string) =>
  llmFault(
    'unsupported',
    'llm.no-embeddings',
    `Provider "${name}" has no embeddings; name a model of another provider.`,
  )

/** A provider that repeats the node's key, in whatever it says, is cut off. */
function makeInspector(name: string, key: Secret | undefined): (bytes: Buffer) => void {
  const text = key?.reveal() ?? ''
  if (text === '') return () => {}
  const needle = Buffer.from(text)
  return (bytes) => {
    if (!bytes.includes(needle)) return
    throw llmFault(
      'unavailable',
      'llm.key-echoed',
      `Provider "${name}" repeated this node's credentials in its answer, which is withheld. ` +
        'The operator checks the endpoint of this provider in the node config.',
    )
  }
}

async function readWhole(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > limits.answerBytes) {
      const message = `The provider sent an answer of more than ${limits.answerBytes} bytes.`
      throw llmFault('unavailable', 'llm.protocol', message)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

/** The beginning of an error's body; the rest is not waited for. */
async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      size += chunk.length
      if (size > limits.errorBytes) break
    }
  } catch {
    // The status says what there is to say.
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

function parseReply(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    const message =
      'The provider answered with something other than JSON; ' +
      'the operator checks its type and endpoint in the node config.'
    throw llmFault('unavailable', 'llm.protocol', message, { retryable: true })
  }
}
