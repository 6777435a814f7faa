import type { Duplex } from 'node:stream'

/**
 * Moves bytes from one stream to another, held back by the slower of the two, and passes on the end.
 * `pass` is asked about each chunk first: the milliseconds to wait after it, or undefined: it must not pass.
 */
export function pump(
  source: Duplex,
  sink: Duplex,
  pass: (bytes: number) => number | undefined,
): void {
  let full = false
  let waiting = false
  const goOn = (): void => {
    if (!full && !waiting) source.resume()
  }
  source.on('data', (chunk: Buffer) => {
    const waitMs = pass(chunk.length)
    if (waitMs === undefined) return
    full = !sink.write(chunk)
    if (waitMs > 0) {
      waiting = true
      setTimeout(() => {
        waiting = false
        goOn()
      }, waitMs)
    }
    if (full || waiting) source.pause()
  })
  sink.on('drain', () => {
    full = false
    goOn()
  })
  if (source.readableEnded) sink.end()
  else source.once('end', () => sink.end())
  source.resume()
}
