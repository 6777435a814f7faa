import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

const { subtle } = globalThis.crypto

/** So large that the hashing counts and not the asking; so small that a few fit anywhere. */
const pieceBytes = 4 << 20
const atOnce = 4

/**
 * SHA-256 over the SHA-256 of each 4 MiB of a file, in hex: pieces are hashed beside each other, and
 * not in the thread that everybody waits for.
 */
export async function digestFile(path: string, signal: AbortSignal): Promise<string> {
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const pieces = Math.ceil(size / pieceBytes)
  const digests = new Array<Uint8Array>(pieces)
  let next = 0
  const worker = async (): Promise<void> => {
    const buffer = new Uint8Array(pieceBytes)
    for (let piece = next++; piece < pieces; piece = next++) {
      signal.throwIfAborted()
      const length = Math.min(pieceBytes, size - piece * pieceBytes)
      const { bytesRead } = await file.read(buffer, 0, length, piece * pieceBytes)
      // It shrank meanwhile: what is hashed then is not what was sealed.
      digests[piece] = new Uint8Array(await subtle.digest('SHA-256', buffer.subarray(0, bytesRead)))
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, pieces) }, worker))
  const whole = createHash('sha256').update(`${size}\n`)
  for (const digest of digests) whole.update(digest)
  return whole.digest('hex')
}
