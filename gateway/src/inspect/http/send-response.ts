import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import type { Redactor } from '../secrets/redactor.ts'
import { hasBody, readResponse } from './read-response.ts'

export interface SendResponseOptions {
  readonly method: string
  readonly redactor: Redactor | undefined
  /** The connection ends with this answer. */
  readonly last: boolean
}

/** Passes an answer on, as it comes; resolves once the client has it. */
export async function sendResponse(
  response: IncomingMessage,
  outgoing: ServerResponse,
  { method, redactor, last }: SendResponseOptions,
): Promise<void> {
  const bodied = hasBody(method, response.statusCode ?? 502)
  const { status, reason, headers, stages, measured } = readResponse(response, bodied, redactor)
  const head = [...headers.flat(), ...(last ? ['Connection', 'close'] : [])]
  outgoing.sendDate = false
  if (measured) {
    const body = await gather(response, stages)
    outgoing.writeHead(status, reason, [...head, 'Content-Length', String(body.length)])
    outgoing.end(body)
  } else {
    outgoing.writeHead(status, reason, head)
    // With the first of the body, unless that is late: an event stream's client wants to know it began.
    setImmediate(() => outgoing.flushHeaders())
    await pipeline([response, ...stages, outgoing], { end: false })
    outgoing.addTrailers(trailersOf(response, redactor))
    outgoing.end()
  }
  await finished(outgoing)
}

/** Short, by what its server said of it, which the parser holds it to. */
async function gather(response: IncomingMessage, stages: readonly NodeJS.ReadWriteStream[]) {
  const chunks: Buffer[] = []
  const all = new PassThrough()
  all.on('data', (chunk: Buffer) => chunks.push(chunk))
  await pipeline([response as Readable, ...stages, all])
  return Buffer.concat(chunks)
}

function trailersOf(
  { rawTrailers }: IncomingMessage,
  redactor: Redactor | undefined,
): [string, string][] {
  const clean = (text: string) => redactor?.redact(text) ?? text
  return Array.from({ length: rawTrailers.length / 2 }, (_, at): [string, string] => [
    clean(rawTrailers[2 * at] ?? ''),
    clean(rawTrailers[2 * at + 1] ?? ''),
  ])
}
