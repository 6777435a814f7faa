import { finished, type Readable } from 'node:stream'

/**
 * What a stream brings, in the pieces in which it came. Its own iterator joins those that wait, which
 * copies every byte of a large answer once more. Leaving it off destroys the stream.
 */
export async function* piecesOf(stream: Readable): AsyncGenerator<Buffer, void, undefined> {
  let piece: Buffer | undefined
  let end: { readonly error: Error | undefined } | undefined
  let wake = () => {}
  stream.on('data', (next: Buffer) => {
    stream.pause()
    piece = next
    wake()
  })
  finished(stream, { writable: false }, (error) => {
    end = { error: error ?? undefined }
    wake()
  })
  try {
    for (;;) {
      if (piece === undefined && end === undefined) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        stream.resume()
        await promise
      }
      const next = piece
      piece = undefined
      if (next !== undefined) yield next
      else if (end?.error !== undefined) throw end.error
      else if (end !== undefined) return
    }
  } finally {
    stream.destroy()
  }
}
