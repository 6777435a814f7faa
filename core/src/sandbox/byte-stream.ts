/**
 * A duplex byte stream as the core names it without knowing the platform. In Node it is a
 * `stream.Duplex`; adapters may rely on that and check it where the stream enters.
 */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  /** Queues bytes; false means: wait for `drain` before writing more. */
  write(chunk: Uint8Array): boolean
  /** As `write`, but the bytes are the caller's again at once. Not every stream can. */
  writeLent?(chunk: Uint8Array): boolean
  /** Half-closes: no more bytes from this side. */
  end(): void
  /** Ends both directions at once and frees the channel. */
  destroy(error?: Error): void
}
