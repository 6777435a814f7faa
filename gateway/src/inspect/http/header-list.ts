/** In the order they came, in the spelling they came in. */
export type Headers = readonly (readonly [name: string, value: string])[]

export const valuesOf = (headers: Headers, name: string): readonly string[] =>
  headers.flatMap(([each, value]) => (each.toLowerCase() === name ? [value] : []))

/**
 * Those that are meant for the other end. What speaks of this one connection (RFC 9110, 7.6.1), or to
 * a proxy, is said anew on the next; so are other ways to the server, which could not be read.
 */
export function endToEnd(headers: Headers): Headers {
  const named = valuesOf(headers, 'connection')
    .flatMap((value) => value.toLowerCase().split(','))
    .map((name) => name.trim())
    .filter((name) => !kept.has(name))
  const dropped = new Set([...ofTheConnection, ...named])
  return headers.filter(([name]) => {
    const key = name.toLowerCase()
    return !dropped.has(key) && !key.startsWith('proxy-')
  })
}

/** Cannot be made to vanish by naming them. */
const kept = new Set(['host', 'content-length', 'cache-control', 'authorization', 'cookie'])

const ofTheConnection = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'alt-svc',
]
