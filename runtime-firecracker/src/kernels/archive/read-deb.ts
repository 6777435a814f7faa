import { Readable } from 'node:stream'
import { AegisError } from '@aegis/core'
import { compressionOf, type DecompressOptions, decompress } from './decompress.ts'
import { readAr } from './read-ar.ts'
import { readTar, type TarFile, type TarOptions } from './read-tar.ts'

/**
 * The wanted files of a Debian package, in its order.
 * @throws AegisError `invalid` / `kernel.package` · `unsupported` / `kernel.no-xz`
 */
export async function* readDeb(
  deb: Buffer,
  wanted: TarOptions,
  options: DecompressOptions,
): AsyncGenerator<TarFile> {
  const data = readAr(deb).find(({ name }) => name.startsWith('data.tar'))
  const compression = data && compressionOf(data.name)
  if (data === undefined || compression === undefined)
    throw new AegisError(
      'invalid',
      'kernel.package',
      'This Debian package has no content that can be read: data.tar with xz, zstd, gzip or nothing.',
    )
  yield* readTar(decompress(Readable.from(slices(data.content)), compression, options), wanted)
}

/** In pieces, since a stream that gets all at once would hold it twice. */
function* slices(content: Buffer): Generator<Buffer> {
  const bytes = 1 << 20
  for (let at = 0; at < content.length; at += bytes) yield content.subarray(at, at + bytes)
}
