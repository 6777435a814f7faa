import { open } from 'node:fs/promises'
import { openAppendingWriter } from '../erofs/appending-writer.ts'
import { makeReadWindow } from '../erofs/read-window.ts'
import { badArchive } from './bad-archive.ts'

/** Bytes on their way: written from beginning to end, then read wherever they are needed. */
export interface SpoolFile extends AsyncDisposable {
  readonly length: number
  append(bytes: Uint8Array): void
  /** To be awaited between pieces; throws what failed. */
  room(): Promise<void>
  /** After the last byte. */
  finish(): Promise<void>
  /** In pieces that stay valid until the next is asked for. */
  region(offset: number, bytes: number): AsyncIterable<Uint8Array>
  /** As bytes of one's own. */
  copy(offset: number, bytes: number): Promise<Buffer>
}

/** A new file that whoever named it removes. */
export async function openSpoolFile(path: string): Promise<SpoolFile> {
  const file = await open(path, 'wx+', 0o600)
  const writer = openAppendingWriter(file)
  const region: SpoolFile['region'] = async function* (offset, bytes) {
    // A window of its own: others may read meanwhile.
    const window = makeReadWindow(file)
    for (let done = 0; done < bytes; ) {
      const part = await window.read(offset + done, bytes - done)
      if (part.length === 0) throw badArchive('it is shorter than it says')
      yield part
      done += part.length
    }
  }
  return {
    get length() {
      return writer.length
    },
    append: writer.append,
    room: writer.room,
    finish: () => writer.flush(),
    region,
    async copy(offset, bytes) {
      const target = Buffer.alloc(bytes)
      let done = 0
      for await (const part of region(offset, bytes)) {
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
