import type { IncomingMessage } from 'node:http'
import { type Duplex, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { inspectLimits } from '../inspect-limits.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { endToEnd, type Headers, valuesOf } from './header-list.ts'
import { requestFault } from './request-fault.ts'

/** An answer as the client gets it. */
export interface ReadResponse {
  readonly status: number
  readonly reason: string
  readonly headers: Headers
  /** What its body passes through. */
  readonly stages: readonly Duplex[]
  /** Its length is not known before it has passed. */
  readonly measured: boolean
}

/**
 * Reads the head of an answer. With a redactor, values of secrets are taken out of it and of its
 * body, which is unpacked for that.
 * @throws AegisError `unavailable` / `egress.unreadable-encoding`
 */
export function readResponse(
  response: IncomingMessage,
  hasBody: boolean,
  redactor: Redactor | undefined,
): ReadResponse {
  const { statusCode: status = 502, statusMessage: reason = '', rawHeaders } = response
  const headers = endToEnd(
    Array.from({ length: rawHeaders.length / 2 }, (_, at) => [
      rawHeaders[2 * at] ?? '',
      rawHeaders[2 * at + 1] ?? '',
    ]),
  )
  if (redactor === undefined) return { status, reason, headers, stages: [], measured: false }
  const clean = headers.map(
    ([name, value]) => [redactor.redact(name), redactor.redact(value)] as const,
  )
  const facts = { status, reason: redactor.redact(reason) }
  if (!hasBody) return { ...facts, headers: clean, stages: [], measured: false }
  const unpacking = decodersOf(valuesOf(headers, 'content-encoding'))
  return {
    ...facts,
    headers: clean.filter(
      ([name]) => !['content-length', 'content-encoding'].includes(name.toLowerCase()),
    ),
    stages: [...unpacking, redactor.stream()],
    measured:
      unpacking.length === 0 &&
      Number(valuesOf(headers, 'content-length')[0]) <= inspectLimits.measuredBytes,
  }
}

/** HEAD, and answers that have none (RFC 9110, 6.4.1). */
export const hasBody = (method: string, status: number): boolean =>
  method !== 'HEAD' && status !== 204 && status !== 304

function decodersOf(encodings: readonly string[]): Duplex[] {
  const names = encodings
    .flatMap((value) => value.toLowerCase().split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity')
  const [name, ...more] = names
  if (name === undefined) return []
  const decoder = more.length === 0 ? decoderOf(name) : undefined
  if (decoder !== undefined) return [decoder, boundedTo(inspectLimits.decodedBytes)]
  throw requestFault(
    'unavailable',
    'egress.unreadable-encoding',
    `The server packed its answer as ${names.join(', ').slice(0, 80)}, which cannot be searched for secrets.`,
    {
      remedy:
        'Ask the server for an answer that is not packed, or packed with gzip, deflate or br.',
    },
  )
}

function decoderOf(name: string): Duplex | undefined {
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return createGunzip()
    case 'deflate':
      return createInflate()
    case 'br':
      return createBrotliDecompress()
    default:
      return undefined
  }
}

function boundedTo(bytes: number): Transform {
  let left = bytes
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      left -= chunk.length
      if (left >= 0) return done(null, chunk)
      done(new Error(`A packed answer is larger than ${bytes} bytes`))
    },
  })
}
