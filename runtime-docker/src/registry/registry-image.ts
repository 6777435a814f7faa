import { layoutArchive } from '@aegis/core'
import type * as z from 'zod'
import { familiarName, type ImageName } from '../images/image-name.ts'
import { downloadBlob } from './download-blob.ts'
import {
  type BlobDescriptor,
  configSchema,
  digestOf,
  documentTypes,
  type ImageManifest,
  indexSchema,
  indexType,
  manifestSchema,
  manifestType,
} from './image-documents.ts'
import { type Patience, patiently } from './patiently.ts'
import type { RegistryVisit } from './registry-client.ts'
import { absentThere, noImage, otherProcessor } from './registry-fault.ts'
import { registryLimits } from './registry-limits.ts'

/** An image as a registry has it now: what it is, and how to fetch it. */
export interface RegistryImage {
  /** Digest of its configuration. */
  readonly id: string
  /** `name@sha256:…`: what the name means now. */
  readonly digest: string
  /** Digests of its manifest, and of the indexes that led there. */
  readonly otherIds: readonly string[]
  /** Of its layers, as they are packed. */
  readonly sizeBytes: number
  readonly layers: number
  /**
   * All of it, as an OCI layout in a tar archive, which is fetched while it is read.
   * @throws AegisError like `RegistryClient.get` · `invalid` / `image.pull-failed`
   */
  archive(
    onProgress: (progress: FetchProgress) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
}

export interface FetchProgress {
  readonly layersDone: number
  readonly bytes: number
}

interface Registry {
  readonly visit: RegistryVisit
  readonly name: ImageName
  /** In Go's words: `amd64`. */
  readonly architecture: string
  readonly patience: Patience
}

/** A document with what it is known by. */
interface Document {
  readonly bytes: Buffer
  readonly digest: string
}

/**
 * Finds out what a name means now. Every document is checked against the digest that led to it.
 * @throws AegisError like `RegistryClient.get` · `not-found` / `image.absent` · `invalid` /
 * `image.pull-failed`
 */
export async function resolveRegistryImage(
  registry: Registry,
  signal: AbortSignal,
): Promise<RegistryImage> {
  const { name, architecture, visit, patience } = registry
  const top = await document(registry, `manifests/${name.version}`, signal)
  const asked = name.version.startsWith('sha256:') ? name.version : top.digest
  if (top.digest !== asked) throw noImage(name, `what it sends for ${asked} is something else`)
  const { manifest, indexes } = await manifestIn(registry, top, signal)
  const { config, layers } = parsed(name, manifestSchema, manifest.bytes, 'its manifest')
  const wrong = [config, ...layers].find(({ mediaType }) =>
    /foreign|nondistributable/.test(mediaType),
  )
  if (wrong !== undefined) throw noImage(name, `the registry does not hold its ${wrong.mediaType}`)
  const configuration = await document(registry, `blobs/${config.digest}`, signal)
  if (configuration.digest !== config.digest)
    throw noImage(name, `what it sends for ${config.digest} is something else`)
  const built = parsed(name, configSchema, configuration.bytes, 'its configuration')
  if (built.os !== 'linux' || built.architecture !== architecture)
    throw otherProcessor(name, architecture, [`${built.os}/${built.architecture}`])
  return {
    id: config.digest,
    digest: familiarName({ ...name, version: top.digest }),
    otherIds: [manifest.digest, ...indexes],
    sizeBytes: layers.reduce((sum, { size }) => sum + size, 0),
    layers: layers.length,
    archive(onProgress, until) {
      const parts = { manifest, configuration, layers }
      const download = (blob: BlobDescriptor) =>
        downloadBlob({ visit, name, blob, patience }, until)
      return layoutArchive(filesOf(parts, download, onProgress))
    },
  }
}

/** Of this processor, and what led to it. */
async function manifestIn(
  registry: Registry,
  top: Document,
  signal: AbortSignal,
): Promise<{ readonly manifest: Document; readonly indexes: readonly string[] }> {
  const { name, architecture } = registry
  const indexes: string[] = []
  let at = top
  while (isIndex(name, at)) {
    if (indexes.push(at.digest) > registryLimits.indexDepth)
      throw noImage(name, 'its indexes lead to others without end')
    const { manifests } = parsed(name, indexSchema, at.bytes, 'its index')
    const all = manifests.filter(({ platform }) => platform?.os !== 'unknown')
    const [next] = all
      .filter(
        ({ platform }) =>
          platform === undefined ||
          (platform.os === 'linux' && platform.architecture === architecture),
      )
      // The plain one, which every processor of the kind runs, before those for newer ones.
      .sort((one, other) => rankOf(one.platform) - rankOf(other.platform))
    if (next === undefined) {
      const has = all.map(({ platform }) => `${platform?.os}/${platform?.architecture}`)
      throw otherProcessor(name, architecture, has)
    }
    at = await document(registry, `manifests/${next.digest}`, signal)
    if (at.digest !== next.digest)
      throw noImage(name, `what it sends for ${next.digest} is something else`)
  }
  return { manifest: at, indexes }
}

const rankOf = (platform: { readonly variant?: string | undefined } | undefined): number =>
  platform?.variant === undefined ? 0 : 1

function isIndex(name: ImageName, { bytes }: Document): boolean {
  const found = jsonOf(bytes)
  if (typeof found !== 'object' || found === null) throw noImage(name, 'its manifest is no JSON')
  if ('schemaVersion' in found && found.schemaVersion === 1)
    throw noImage(name, 'its manifest is in the first form of Docker, which nobody writes any more')
  return 'manifests' in found
}

async function document(
  { visit, name, patience }: Registry,
  path: string,
  signal: AbortSignal,
): Promise<Document> {
  const request = { path, accept: documentTypes, mostBytes: registryLimits.documentBytes }
  const bytes = await patiently(() => visit.get(request, signal), patience, signal)
  if (bytes === undefined) throw absentThere(name)
  return { bytes, digest: digestOf(bytes) }
}

interface Parts {
  readonly manifest: Document
  readonly configuration: Document
  readonly layers: ImageManifest['layers']
}

async function* filesOf(
  { manifest, configuration, layers }: Parts,
  download: (blob: BlobDescriptor) => AsyncIterable<Uint8Array>,
  onProgress: (progress: FetchProgress) => void,
) {
  const main = { mediaType: manifestType, digest: manifest.digest, size: manifest.bytes.length }
  yield inMemory('index.json', { schemaVersion: 2, mediaType: indexType, manifests: [main] })
  yield inMemory('oci-layout', { imageLayoutVersion: '1.0.0' })
  for (const { digest, bytes } of [manifest, configuration])
    yield { path: pathOf(digest), sizeBytes: bytes.length, content: () => once(bytes) }
  const progress = { layersDone: 0, bytes: 0 }
  const seen = new Set<string>()
  for (const blob of layers) {
    if (!seen.has(blob.digest))
      yield {
        path: pathOf(blob.digest),
        sizeBytes: blob.size,
        async *content() {
          for await (const part of download(blob)) {
            progress.bytes += part.length
            onProgress(progress)
            yield part
          }
        },
      }
    seen.add(blob.digest)
    progress.layersDone++
  }
}

function inMemory(path: string, value: object) {
  const bytes = Buffer.from(JSON.stringify(value))
  return { path, sizeBytes: bytes.length, content: () => once(bytes) }
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes
}

const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`

function parsed<Output>(
  name: ImageName,
  schema: z.ZodType<Output>,
  bytes: Buffer,
  what: string,
): Output {
  const found = schema.safeParse(jsonOf(bytes))
  if (found.success) return found.data
  const [issue] = found.error.issues
  throw noImage(
    name,
    `${what} is not what it should be (${issue?.path.join('.')}: ${issue?.message})`,
  )
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}
