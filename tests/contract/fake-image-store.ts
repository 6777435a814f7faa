import { createHash } from 'node:crypto'
import {
  AegisError,
  type Image,
  type ImageSignature,
  type ImageStore,
  type PullProgress,
} from '@aegis/core'

/** A host's images and the registry they come from, both in memory. */
export interface FakeImageStore extends ImageStore {
  /** Lets a tag mean this content from now on; what it meant before stays there by its digest. */
  publish(reference: string, content?: string): Image
  /** Takes all of a name from the registry. */
  withdraw(name: string): void
  /** The registry asks for credentials that this host does not have. */
  forbid(reference: string): void
  /** A pull of it goes on until it is given up. */
  stall(reference: string): void
  /** Puts signatures beside an image (`name@sha256:…`) in the registry. */
  sign(digest: string, ...signatures: readonly ImageSignature[]): void
  /** The registry tells nothing of signatures from now on. */
  silence(): void
  /** Puts an image on the host as if somebody had built it there. */
  build(reference: string): Image
  /** A container needs this one from now on. */
  use(id: string): void
  /** What was asked of the registry so far. */
  readonly pulls: readonly string[]
  /** Resolves when a pull has begun that does not end by itself. */
  readonly stalling: Promise<void>
  /** Resolves when a pull was given up. */
  readonly abandoned: Promise<void>
}

const sizeBytes = 50_000_000

export function makeFakeImageStore(): FakeImageStore {
  const registry = new Map<string, Image>()
  const host = new Map<string, Image>()
  const forbidden = new Set<string>()
  const stalled = new Set<string>()
  const used = new Set<string>()
  const pulls: string[] = []
  const signatures = new Map<string, readonly ImageSignature[]>()
  let mute = false
  const stalling = Promise.withResolvers<void>()
  const abandoned = Promise.withResolvers<void>()

  const find = (name: string): Image | undefined =>
    [...host.values()].find(
      ({ id, references, digests }) => id === name || [...references, ...digests].includes(name),
    )

  /** Puts it on the host; a tag names one image at a time. */
  const keep = (image: Image): Image => {
    for (const one of host.values()) {
      const references = one.references.filter((name) => !image.references.includes(name))
      host.set(one.id, { ...one, references })
    }
    host.set(image.id, image)
    return image
  }

  return {
    pulls,
    stalling: stalling.promise,
    abandoned: abandoned.promise,
    publish(reference, content = '1') {
      const image = imageOf(reference, content)
      for (const name of [reference, ...image.digests]) registry.set(name, image)
      return image
    },
    withdraw(name) {
      for (const key of registry.keys()) if (nameOf(key) === name) registry.delete(key)
    },
    forbid: (reference) => void forbidden.add(reference),
    stall: (reference) => void stalled.add(reference),
    sign: (digest, ...made) => void signatures.set(digest, made),
    silence() {
      mute = true
    },
    build: (reference) => keep({ ...imageOf(reference, 'built'), digests: [], pulled: false }),
    use: (id) => void used.add(id),

    list: async () => [...host.values()],
    find: async (reference) => find(reference),
    async pull(reference, onProgress, signal) {
      signal.throwIfAborted()
      pulls.push(reference)
      onProgress(progressOf(reference, 'resolving', 0))
      if (forbidden.has(reference)) throw denied(reference)
      if (stalled.has(reference)) {
        stalling.resolve()
        await new Promise((resolve) => onAbort(signal, resolve))
        abandoned.resolve()
      }
      signal.throwIfAborted()
      const image = registry.get(reference)
      if (image === undefined) throw absent(reference)
      onProgress(progressOf(reference, 'downloading', 0.5))
      onProgress(progressOf(reference, 'extracting', 1))
      onProgress(progressOf(reference, 'done', 1))
      const isByDigest = reference.includes('@')
      return keep({ ...image, references: isByDigest ? [] : [reference], pulled: true })
    },
    signatures: async (digest) => {
      if (mute) throw new AegisError('unavailable', 'image.network', 'The registry is silent.')
      return signatures.get(digest) ?? []
    },
    async fromArchive({ archive, name }, onProgress, signal) {
      const chunks: Uint8Array[] = []
      for await (const chunk of archive) chunks.push(chunk)
      signal.throwIfAborted()
      const content = Buffer.concat(chunks)
      if (content.length === 0)
        throw new AegisError('invalid', 'image.archive', 'This is no usable image: it is empty.')
      const reference = name ?? 'archived:1'
      onProgress({ ...progressOf(reference, 'converting', 1), downloadedBytes: content.length })
      const disk = { sizeBytes: 4096, machines: 0, alone: true }
      return keep({ ...imageOf(reference, content.toString('latin1')), digests: [], disk })
    },
    async remove(id) {
      if (used.has(id)) {
        throw new AegisError('conflict', 'image.used', `A container still needs the image ${id}.`)
      }
      host.delete(id)
    },
  }
}

/** What a pull from the fake registry tells, from first to last. */
export const fakePullPhases: readonly PullProgress['phase'][] = [
  'resolving',
  'downloading',
  'extracting',
  'done',
]

function imageOf(reference: string, content: string): Image {
  const name = nameOf(reference)
  return {
    id: `sha256:${hashOf(`configuration ${name} ${content}`)}`,
    references: [reference],
    digests: [`${name}@sha256:${hashOf(`manifest ${name} ${content}`)}`],
    sizeBytes,
    createdAt: '2026-11-22T15:04:05.123Z',
    pulled: true,
  }
}

const progressOf = (
  reference: string,
  phase: PullProgress['phase'],
  share: number,
): PullProgress => ({
  reference,
  phase,
  layersDone: share === 1 ? 2 : 0,
  layers: 2,
  downloadedBytes: share * sizeBytes,
  totalBytes: sizeBytes,
})

const nameOf = (reference: string): string => reference.replace(/[:@].*$/, '')
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function onAbort(signal: AbortSignal, act: (reason: unknown) => void): void {
  if (signal.aborted) act(signal.reason)
  else signal.addEventListener('abort', act, { once: true })
}

const absent = (reference: string): AegisError =>
  new AegisError('not-found', 'image.absent', `There is no image ${reference}.`)

const denied = (reference: string): AegisError =>
  new AegisError('denied', 'image.access', `The registry does not let this host have ${reference}.`)
