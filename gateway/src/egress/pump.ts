import type { Duplex } from 'node:stream'
import type { ByteStream } from '@aegis/core'
import type { Dialled } from './dial-socket.ts'

export interface Passage {
  /** What of a chunk passes, in which form; undefined: nothing any more. */
  admit(chunk: Buffer): Buffer | undefined
  /** What passes before the end. */
  end(): Buffer | undefined
  /** Takes bytes that are about to pass: the milliseconds to wait after them; undefined: they must not. */
  pass(bytes: number): number | undefined
}

type Sink = Duplex & Pick<ByteStream, 'writeLent'>

/**
 * Moves bytes from one stream to another, held back by the slower of the two, and passes on the end.
 * A lender of the source's bytes spares both a buffer for each chunk.
 */
export function pump(
  source: Duplex,
  sink: Sink,
  passage: Passage,
  lender?: Pick<Dialled, 'readLent'>,
): void {
  let full = false
  let waiting = false

  function goOn(): void {
    if (!full && !waiting) source.resume()
  }

  function write(bytes: Buffer, lent: boolean): boolean {
    if (!lent) return sink.write(bytes)
    return sink.writeLent?.(bytes) ?? sink.write(Buffer.from(bytes))
  }

  function send(bytes: Buffer | undefined, lent = false): void {
    if (bytes === undefined || bytes.length === 0) return
    const waitMs = passage.pass(bytes.length)
    if (waitMs === undefined) return
    full = !write(bytes, lent)
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
  lender?.readLent((chunk) => {
    send(passage.admit(chunk), true)
    return !full && !waiting
  })
  sink.on('drain', () => {
    full = false
    goOn()
  })
  if (source.readableEnded) end()
  else source.once('end', end)
  source.resume()
}
