import { createHash } from 'node:crypto'
import type { ImageName } from '../images/image-name.ts'
import type { BlobDescriptor } from './image-documents.ts'
import { type Patience, pause } from './patiently.ts'
import type { RegistryVisit } from './registry-client.ts'
import { interrupted, isPassing, noImage } from './registry-fault.ts'

export interface BlobDownload {
  readonly visit: RegistryVisit
  /** Of the image, for errors. */
  readonly name: ImageName
  readonly blob: BlobDescriptor
  readonly patience: Patience
}

/**
 * The bytes of a blob, exactly those that its digest names: a connection that breaks is taken up where
 * it broke. The last piece comes before the digest is known to be right.
 * @throws AegisError like `RegistryClient.get` · `invalid` / `image.pull-failed`
 */
export async function* downloadBlob(
  { visit, name, blob, patience }: BlobDownload,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, size } = blob
  const hash = createHash('sha256')
  let done = 0
  for (let attempt = 1; done < size; attempt++) {
    try {
      for await (const part of bytesFrom({ visit, name, blob, patience }, done, signal)) {
        done += part.length
        if (done > size) throw noImage(name, `${digest} is longer than ${size} bytes`)
        hash.update(part)
        attempt = 1
        yield part
      }
      if (done < size) throw interrupted(name)
    } catch (error) {
      signal.throwIfAborted()
      if (!isPassing(error) || attempt >= patience.attempts) throw error
      await pause(patience, attempt, signal)
    }
  }
  const found = `sha256:${hash.digest('hex')}`
  if (found !== digest) throw noImage(name, `what it sends for ${digest} is something else`)
}

/** What one connection brings, from an offset on. */
async function* bytesFrom(
  { visit, name, blob: { digest }, patience }: BlobDownload,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stalled = new AbortController()
  const either = AbortSignal.any([signal, stalled.signal])
  const response = await visit.open({ path: `blobs/${digest}`, from }, either)
  if (response === undefined) throw noImage(name, `${digest} is missing there`)
  // A registry that cannot begin in the middle begins anew.
  let skipBytes = response.status === 206 ? 0 : from
  const timer = setTimeout(() => stalled.abort(), patience.stalledMs)
  try {
    for await (const chunk of response.body ?? []) {
      const part = chunk.subarray(skipBytes)
      skipBytes -= chunk.length - part.length
      if (part.length > 0) yield part
      // Whoever reads may take its time.
      timer.refresh()
    }
  } catch (cause) {
    throw interrupted(name, cause)
  } finally {
    clearTimeout(timer)
  }
}
