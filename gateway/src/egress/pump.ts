import type { Duplex } from 'node:stream'

export interface Passage {
  /** What of a chunk passes, in which form; undefined: nothing any more. */
  admit(chunk: Buffer): Buffer | undefined
  /** What passes before the end. */
  end(): Buffer | undefined
  /** Takes bytes that are about to pass: the milliseconds to wait after them; undefined: they must not. */
  pass(bytes: number): number | undefined
}

/** Moves bytes from one stream to another, held back by the slower of the two, and passes on the end. */
export function pump(source: Duplex, sink: Duplex, passage: Passage): void {
  let full = false
  let waiting = false

  function goOn(): void {
    if (!full && !waiting) source.resume()
  }

  function send(bytes: Buffer | undefined): void {
    if (bytes === undefined || bytes.length === 0) return
    const waitMs = passage.pass(bytes.length)
    if (waitMs === undefined) return
    full = !sink.write(bytes)
    if (waitMs > 0) {
      waiting = true
      setTimeout(() => {
        waiting = false
        goOn()
      }, waitMs)
    }
    if (full || waiting) source.pause()
  }

  function end(): void {
    send(passage.end())
    sink.end()
  }

  source.on('data', (chunk: Buffer) => send(passage.admit(chunk)))
  sink.on('drain', () => {
    full = false
    goOn()
  })
  if (source.readableEnded) end()
  else source.once('end', end)
  source.resume()
}
