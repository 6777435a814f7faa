import type { Duplex } from 'node:stream'

/** What the first bytes of a stream told. */
export type Peeked<Told> =
  | { readonly kind: 'told'; readonly told: Told }
  /** Not a byte came within `firstMs`. */
  | { readonly kind: 'silent' }
  /** It ended, or the time was up, with bytes that told nothing. */
  | { readonly kind: 'undecided' }
  /** It ended without a byte. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'closed' }

export interface PeekOptions {
  /** Until the first byte; absent: as long as it takes. */
  readonly firstMs?: number | undefined
  /** From the first byte until it must be told. */
  readonly toldMs: number
}

/**
 * Reads until `tell` has made up its mind, then puts all bytes back, so that whoever reads next gets
 * them from the first on. `tell` has to make up its mind within a bounded number of bytes.
 */
export function peekBytes<Told>(
  stream: Duplex,
  tell: (bytes: Buffer) => Told | undefined,
  { firstMs, toldMs }: PeekOptions,
): Promise<Peeked<Told>> {
  const { promise, resolve } = Promise.withResolvers<Peeked<Told>>()
  const gathered = makeGathering()
  let timer = firstMs === undefined ? undefined : setTimeout(giveUp, firstMs)

  function finish(peeked: Peeked<Told>): void {
    clearTimeout(timer)
    stream.off('readable', read)
    stream.off('end', ended)
    stream.off('close', closed)
    const bytes = gathered.bytes()
    if (bytes.length > 0 && !stream.destroyed && !stream.readableEnded) stream.unshift(bytes)
    resolve(peeked)
  }

  function giveUp(): void {
    finish({ kind: gathered.bytes().length === 0 ? 'silent' : 'undecided' })
  }

  function ended(): void {
    finish({ kind: gathered.bytes().length === 0 ? 'ended' : 'undecided' })
  }

  function closed(): void {
    finish({ kind: 'closed' })
  }

  function read(): void {
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) {
      if (gathered.bytes().length === 0) {
        clearTimeout(timer)
        timer = setTimeout(giveUp, toldMs)
      }
      gathered.add(chunk)
      const told = tell(gathered.bytes())
      if (told === undefined) continue
      finish({ kind: 'told', told })
      return
    }
  }

  stream.on('readable', read)
  stream.once('end', ended)
  stream.once('close', closed)
  if (stream.destroyed) closed()
  else if (stream.readableEnded) ended()
  return promise
}

/** Joins chunks without copying all of them again for each: a client may send byte by byte. */
function makeGathering(): { add(chunk: Buffer): void; bytes(): Buffer } {
  let store = Buffer.alloc(0)
  let length = 0
  return {
    add(chunk) {
      if (length + chunk.length > store.length) {
        const larger = Buffer.allocUnsafe(Math.max(2 * store.length, length + chunk.length, 1024))
        store.copy(larger, 0, 0, length)
        store = larger
      }
      length += chunk.copy(store, length)
    },
    bytes: () => store.subarray(0, length),
  }
}
