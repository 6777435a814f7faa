import type { FileHandle } from 'node:fs/promises'

/** Reads a file in pieces, ahead of what is asked for, since what is read next mostly lies behind. */
export interface ReadWindow {
  /**
   * At least one byte and at most `bytes` of them from `offset` on; valid until the next call. None at
   * the end of the file.
   */
  read(offset: number, bytes: number): Uint8Array | Promise<Uint8Array>
}

export function makeReadWindow(file: FileHandle, windowBytes = 1 << 20): ReadWindow {
  const buffer = Buffer.allocUnsafe(windowBytes)
  let start = 0
  let length = 0
  const within = (offset: number, bytes: number) =>
    buffer.subarray(offset - start, Math.min(length, offset - start + bytes))
  return {
    read(offset, bytes) {
      if (offset >= start && offset < start + length) return within(offset, bytes)
      return file.read(buffer, 0, windowBytes, offset).then(({ bytesRead }) => {
        start = offset
        length = bytesRead
        return within(offset, bytes)
      })
    },
  }
}
