import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

export interface EngineCall {
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, or as it is when it is a stream. */
  readonly body?: object | Readable
}

/**
 * Asks a Docker engine and gives the text of its answer. Knows nothing of attaching and upgrades.
 * @throws Error with the engine's own words when it refuses
 */
export async function callEngine(
  socketPath: string,
  method: string,
  path: string,
  { query, headers, body }: EngineCall = {},
): Promise<string> {
  const outgoing = request({ socketPath, method, path: withQuery(path, query) })
  for (const [name, value] of Object.entries(headers ?? {})) outgoing.setHeader(name, value)
  const answered = once(outgoing, 'response')
  if (body instanceof Readable) {
    outgoing.setHeader('content-type', 'application/x-tar')
    await Promise.all([answered, pipeline(body, outgoing)])
  } else {
    if (body) outgoing.setHeader('content-type', 'application/json')
    outgoing.end(body && JSON.stringify(body))
  }
  const incoming: IncomingMessage = (await answered)[0]
  const words = await text(incoming)
  if ((incoming.statusCode ?? 0) < 400) return words
  throw new Error(`${method} ${path}: ${incoming.statusCode} ${words.trim()}`)
}

function withQuery(path: string, query: EngineCall['query'] = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values].flat()) parameters.append(name, value)
  }
  return parameters.size === 0 ? path : `${path}?${parameters}`
}
