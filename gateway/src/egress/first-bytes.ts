import { limits } from '../limits.ts'
import { beginsAsTls, type ClientHello, readClientHello } from './client-hello.ts'

/** What a client speaks, by its first bytes. */
export type Spoken =
  | { readonly kind: 'tls'; readonly hello: ClientHello }
  | { readonly kind: 'http1' }
  | { readonly kind: 'http2' }
  | { readonly kind: 'other' }
  /** It begins as something it then is not. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Undefined: more bytes are needed to tell. */
export function tellProtocol(bytes: Buffer): Spoken | undefined {
  const [type, version] = bytes
  if (type === undefined) return undefined
  if (type < 20 || type > 23 || (version !== undefined && version !== 3)) return tellText(bytes)
  if (version === undefined) return undefined
  // Servers pass over an alert at the beginning, so that a hello may hide behind it.
  if (!beginsAsTls(bytes)) return malformed('It begins as TLS does, but not with a ClientHello.')
  const reading = readClientHello(bytes)
  switch (reading.kind) {
    case 'more':
      return undefined
    case 'malformed':
      return reading
    case 'hello':
      return { kind: 'tls', hello: reading.hello }
  }
}

/**
 * HTTP is whatever some lenient server could take for it: empty lines before the first one, any
 * method, any white space, a target of any characters that print. Who reads requests is stricter,
 * and refuses what is not well-formed.
 */
function tellText(bytes: Buffer): Spoken | undefined {
  let start = 0
  while (bytes[start] === carriageReturn || bytes[start] === lineFeed) start += 1
  const end = bytes.indexOf(lineFeed, start)
  const line = bytes.subarray(start, end < 0 ? undefined : end)
  if (line.some(isBinary)) return other
  const text = line.toString('latin1')
  if (!/^[ \t\v\f]*[\w!#$%&'*+.^`|~-]*([ \t\v\f\r]|$)/.test(text)) return other
  if (Math.max(start, line.length) > limits.firstLineBytes) {
    return malformed(
      `Its first line may be one of HTTP, and has more than ${limits.firstLineBytes} bytes.`,
    )
  }
  if (end < 0) return undefined
  if (/^PRI[ \t\v\f]+\*[ \t\v\f]+HTTP\/2/.test(text)) return { kind: 'http2' }
  return /[ \t\v\f]HTTP\/\d/i.test(text) ? { kind: 'http1' } : other
}

const other: Spoken = { kind: 'other' }
const malformed = (reason: string): Spoken => ({ kind: 'malformed', reason })
const carriageReturn = 13
const lineFeed = 10

/** A first line of HTTP holds no control characters but white space. */
const isBinary = (byte: number): boolean => byte < 9 || (byte > 13 && byte < 32) || byte === 127
