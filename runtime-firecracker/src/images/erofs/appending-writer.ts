import type { FileHandle } from 'node:fs/promises'

/**
 * Gathers what is appended to a file, so that a thousand small pieces are one call of the system, and
 * lets that write while more is gathered.
 */
export interface AppendingWriter {
  /** Bytes appended so far. */
  readonly length: number
  /** Copies the bytes. */
  append(bytes: Uint8Array): void
  /** To be awaited between pieces, or all that waits is kept in memory. What failed is thrown here. */
  room(): Promise<void>
  /** Resolves once all is with the system. Also to be called before the file is closed. */
  flush(): Promise<void>
}

const gatheredBytes = 1 << 20
/** Full buffers that may wait for the system. */
const waitingMost = 3
/** What the disk is given to do meanwhile, so that syncing at the end finds little left. */
const syncEveryBytes = 16 << 20

/** Appends to an empty file, from its beginning. With `sync` the disk writes along. */
export function openAppendingWriter(file: FileHandle, { sync = false } = {}): AppendingWriter {
  let buffer = Buffer.allocUnsafe(gatheredBytes)
  let used = 0
  let length = 0
  const spare: (typeof buffer)[] = []
  const waiting: Promise<void>[] = []
  let last: Promise<void> = Promise.resolve()
  let failure: { readonly error: unknown } | undefined
  let unsyncedBytes = 0
  let syncing: Promise<void> | undefined

  const syncAlong = (bytes: number) => {
    unsyncedBytes += bytes
    if (!sync || syncing !== undefined || unsyncedBytes < syncEveryBytes) return
    unsyncedBytes = 0
    syncing = file
      .datasync()
      .catch(fail)
      .finally(() => {
        syncing = undefined
      })
  }
  const fail = (error: unknown) => {
    failure ??= { error }
  }
  const handOver = () => {
    const bytes = buffer.subarray(0, used)
    const full = buffer
    const position = length - used
    last = last
      .then(async () => {
        if (failure === undefined) await writeWhole(file, bytes, position)
        syncAlong(bytes.length)
      })
      .catch(fail)
      .finally(() => {
        waiting.shift()
        spare.push(full)
      })
    waiting.push(last)
    buffer = spare.pop() ?? Buffer.allocUnsafe(gatheredBytes)
    used = 0
  }
  const check = () => {
    if (failure !== undefined) throw failure.error
  }
  return {
    get length() {
      return length
    },
    append(bytes) {
      for (let done = 0; done < bytes.length; ) {
        if (used === buffer.length) handOver()
        const part = bytes.subarray(done, done + buffer.length - used)
        buffer.set(part, used)
        used += part.length
        length += part.length
        done += part.length
      }
    },
    async room() {
      while (waiting.length > waitingMost) await waiting[0]
      check()
    },
    async flush() {
      if (used > 0) handOver()
      await last
      await syncing
      check()
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
