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
  if (bytes.length === 0) return undefined
  if (!beginsAsTls(bytes)) return tellText(bytes)
  if (bytes.length === 1) return undefined
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
 * method, any white space. Who reads requests is stricter, and refuses what is not well-formed.
 */
function tellText(bytes: Buffer): Spoken | undefined {
  let start = 0
  while (bytes[start] === carriageReturn || bytes[start] === lineFeed) start += 1
  const end = bytes.indexOf(lineFeed, start)
  const line = bytes.subarray(start, end < 0 ? undefined : end)
  if (line.length > limits.firstLineBytes || start > limits.firstLineBytes) return other
  if (line.some(isBinary)) return other
  const text = line.toString('latin1')
  if (end < 0) return isHopeless(text) ? other : undefined
  if (/^PRI[ \t\v\f]+\*[ \t\v\f]+HTTP\/2/.test(text)) return { kind: 'http2' }
  return /[ \t\v\f]HTTP\/\d/i.test(text) ? { kind: 'http1' } : other
}

const other: Spoken = { kind: 'other' }
const carriageReturn = 13
const lineFeed = 10

/** A first line of HTTP holds no control characters but white space; a target may hold any other byte. */
const isBinary = (byte: number): boolean => byte < 9 || (byte > 13 && byte < 32) || byte === 127

/** No method is so long. */
const isHopeless = (text: string): boolean => /^[^ \t\v\f]{65}/.test(text)
