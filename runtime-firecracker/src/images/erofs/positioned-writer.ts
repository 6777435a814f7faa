import type { FileHandle } from 'node:fs/promises'

/** Gathers what is written to a file, so that a thousand small pieces are one call of the system. */
export interface PositionedWriter {
  /** Copies the bytes. Fast where they follow the ones before. */
  write(position: number, bytes: Uint8Array): Promise<void>
  flush(): Promise<void>
}

const gatheredBytes = 1 << 20

export function openPositionedWriter(file: FileHandle): PositionedWriter {
  const buffer = Buffer.allocUnsafe(gatheredBytes)
  let start = 0
  let used = 0
  const flush = async () => {
    await writeWhole(file, buffer.subarray(0, used), start)
    start += used
    used = 0
  }
  return {
    flush,
    async write(position, bytes) {
      if (position !== start + used) {
        await flush()
        start = position
      }
      for (let done = 0; done < bytes.length; ) {
        if (used === buffer.length) await flush()
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
