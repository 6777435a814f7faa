import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { badArchive } from './bad-archive.ts'

export type Compression = 'none' | 'gzip' | 'zstd'

/** Enough of the beginning to tell what it is. */
export const magicBytes = 4

export function compressionOf(beginning: Uint8Array): Compression {
  if (beginning[0] === 0x1f && beginning[1] === 0x8b) return 'gzip'
  const zstd = [0x28, 0xb5, 0x2f, 0xfd]
  return zstd.every((byte, index) => beginning[index] === byte) ? 'zstd' : 'none'
}

/**
 * Hands over what is left when the compression is taken away, piece by piece.
 * @throws AegisError `invalid` / `image.archive`
 */
export async function decompress(
  bytes: AsyncIterable<Uint8Array>,
  compression: Compression,
  take: (bytes: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (compression === 'none') {
    for await (const part of bytes) {
      signal.throwIfAborted()
      await take(part)
    }
    return
  }
  const inflate = compression === 'gzip' ? createGunzip() : createZstdDecompress()
  const source = Readable.from(copies(bytes), { objectMode: false })
  await pipeline(
    source,
    inflate,
    async (plain: AsyncIterable<Buffer>) => {
      for await (const part of plain) await take(part)
    },
    { signal },
  ).catch((error: unknown) => {
    signal.throwIfAborted()
    const code = error instanceof Error && 'code' in error ? `${error.code}` : ''
    if (/^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(code))
      throw badArchive(`what ${compression} packed is damaged`, error)
    throw error
  })
}

/** Since the stream keeps pieces while the next is read. */
async function* copies(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  for await (const part of bytes) yield Buffer.from(part)
}
