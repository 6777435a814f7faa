import { type FileHandle, open } from 'node:fs/promises'
import { openPositionedWriter } from '../erofs/positioned-writer.ts'
import type { ContentFile } from '../erofs/tree.ts'
import { badArchive } from './bad-archive.ts'

/** Bytes on their way: written from beginning to end, then read wherever they are needed. */
export interface SpoolFile extends ContentFile, AsyncDisposable {
  append(bytes: Uint8Array): Promise<void>
  /** After the last byte. */
  finish(): Promise<void>
  /** What begins at `offset`, as a file of its own. */
  part(offset: number): ContentFile
  /** In pieces that stay valid until the next is asked for. */
  region(offset: number, bytes: number): AsyncIterable<Uint8Array>
  /** As bytes of one's own. */
  copy(offset: number, bytes: number): Promise<Buffer>
}

const windowBytes = 1 << 20

/** A new file that whoever named it removes. */
export async function openSpoolFile(path: string): Promise<SpoolFile> {
  const file = await open(path, 'wx+', 0o600)
  const writer = openPositionedWriter(file)
  let written = 0
  const window = makeWindow(file)
  return {
    read: window.read,
    async append(bytes) {
      await writer.write(written, bytes)
      written += bytes.length
    },
    finish: () => writer.flush(),
    part: (start) => ({ read: (offset, bytes) => window.read(start + offset, bytes) }),
    async *region(offset, bytes) {
      // A window of its own: others may read meanwhile.
      const own = makeWindow(file)
      for (let done = 0; done < bytes; ) {
        const part = await own.read(offset + done, bytes - done)
        yield part
        done += part.length
      }
    },
    async copy(offset, bytes) {
      const target = Buffer.alloc(bytes)
      for (let done = 0; done < bytes; ) {
        const part = await window.read(offset + done, bytes - done)
        target.set(part, done)
        done += part.length
      }
      return target
    },
    async [Symbol.asyncDispose]() {
      await writer.flush().catch(() => undefined) // Whoever wanted the bytes heard of it.
      await file.close()
    },
  }
}

/** Reads ahead, since what is read next mostly lies behind. */
function makeWindow(file: FileHandle): ContentFile {
  const buffer = Buffer.allocUnsafe(windowBytes)
  let start = 0
  let length = 0
  const within = (offset: number, bytes: number) =>
    buffer.subarray(offset - start, Math.min(length, offset - start + bytes))
  return {
    read(offset, bytes) {
      if (offset >= start && offset < start + length) return within(offset, bytes)
      return file.read(buffer, 0, windowBytes, offset).then(({ bytesRead }) => {
        if (bytesRead === 0) throw badArchive('it is shorter than it says')
        start = offset
        length = bytesRead
        return within(offset, bytes)
      })
    },
  }
}
