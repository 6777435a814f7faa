import type { FileHandle } from 'node:fs/promises'

/**
 * Gathers what is written to a file, so that a thousand small pieces are one call of the system, and
 * lets that write while more is gathered.
 */
export interface PositionedWriter {
  /** Copies the bytes. Fast where they follow the ones before. What failed earlier may be thrown here. */
  write(position: number, bytes: Uint8Array): Promise<void>
  /** Resolves once all is with the system. Also to be called before the file is closed. */
  flush(): Promise<void>
}

const gatheredBytes = 1 << 20

export function openPositionedWriter(file: FileHandle): PositionedWriter {
  let buffer = Buffer.allocUnsafe(gatheredBytes)
  let spare = Buffer.allocUnsafe(gatheredBytes)
  let start = 0
  let used = 0
  let failure: { readonly error: unknown } | undefined
  let writing: Promise<void> = Promise.resolve()
  const handOver = async () => {
    await writing
    if (failure !== undefined) throw failure.error
    writing = writeWhole(file, buffer.subarray(0, used), start).catch((error: unknown) => {
      failure = { error }
    })
    const handed = buffer
    buffer = spare
    spare = handed
    start += used
    used = 0
  }
  return {
    async flush() {
      if (used > 0) await handOver()
      await writing
      if (failure !== undefined) throw failure.error
    },
    async write(position, bytes) {
      if (position !== start + used) {
        if (used > 0) await handOver()
        start = position
      }
      for (let done = 0; done < bytes.length; ) {
        if (used === buffer.length) await handOver()
        const part = bytes.subarray(done, done + buffer.length - used)
        buffer.set(part, used)
        used += part.length
        done += part.length
      }
    },
  }
}

/** The system may write less than it was given. */
export async function writeWhole(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
