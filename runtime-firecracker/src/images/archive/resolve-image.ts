import { maxDocumentBytes } from './archive-limits.ts'
import { badArchive } from './bad-archive.ts'
import {
  blobPath,
  checkPlatform,
  type Descriptor,
  dockerManifestSchema,
  type ImageConfig,
  imageConfigSchema,
  indexSchema,
  manifestSchema,
  parseDocument,
} from './image-documents.ts'
import type { ArchiveFile } from './read-file.ts'
import type { SpooledArchive } from './spool-archive.ts'

/** An image of an archive, with all that holds it together checked but the unpacked layers. */
export interface ResolvedImage {
  /** Digest of its configuration. */
  readonly id: string
  /** Digests by which engines know it too: of its manifest, and of the index that led to that. */
  readonly otherIds: readonly string[]
  readonly references: readonly string[]
  readonly config: ImageConfig
  /** From the lowest to the uppermost, as many as the configuration has. */
  readonly layers: readonly ArchiveFile[]
}

export interface Wanted {
  /** Id or name of the one that is meant; needed where an archive holds several. */
  readonly image?: string | undefined
  /** In Go's words: `amd64`. */
  readonly architecture: string
}

/**
 * Finds the image in what `docker save` or an OCI layout brings.
 * @throws AegisError `invalid` / `image.archive` · `unsupported` / `image.platform`
 */
export async function resolveImage(
  archive: SpooledArchive,
  wanted: Wanted,
): Promise<ResolvedImage> {
  const found =
    archive.file('manifest.json') === undefined
      ? await fromLayout(archive, wanted)
      : await fromDocker(archive, wanted)
  checkPlatform(found.config, wanted.architecture)
  if (found.layers.length !== found.config.rootfs.diff_ids.length)
    throw badArchive('its manifest and its configuration differ in the number of layers')
  return found
}

async function fromDocker(archive: SpooledArchive, { image }: Wanted): Promise<ResolvedImage> {
  const manifests = await read(archive, 'manifest.json', dockerManifestSchema)
  const candidates = manifests.map((manifest) => ({
    manifest,
    id: mustHave(archive, manifest.Config).digest,
    names: manifest.RepoTags ?? [],
  }))
  const indexed = archive.file('index.json') === undefined ? [] : await indexedIds(archive)
  const { manifest, id, names } = theOne(
    candidates,
    ({ id: own, names: tags }) =>
      image === undefined ||
      own === image ||
      tags.includes(image) ||
      indexed.some(({ config, ids }) => config === own && ids.includes(image)),
    candidates.flatMap(({ names: tags }) => tags),
  )
  return {
    id,
    otherIds: indexed.find(({ config }) => config === id)?.ids ?? [],
    references: names,
    config: await read(archive, manifest.Config, imageConfigSchema),
    layers: manifest.Layers.map((path) => mustHave(archive, path)),
  }
}

async function fromLayout(
  archive: SpooledArchive,
  { image, architecture }: Wanted,
): Promise<ResolvedImage> {
  if (archive.file('index.json') === undefined)
    throw badArchive('it has neither a manifest.json nor an index.json')
  const leaves = (await manifestsOf(archive)).filter(
    ({ descriptor: { platform } }) =>
      platform === undefined || (platform.os === 'linux' && platform.architecture === architecture),
  )
  const { ids, references, manifest } = theOne(
    leaves,
    (leaf) =>
      image === undefined ||
      leaf.manifest.config.digest === image ||
      leaf.ids.includes(image) ||
      leaf.references.includes(image),
    leaves.flatMap((leaf) => leaf.references),
  )
  const { config, layers } = manifest
  return {
    id: config.digest,
    otherIds: ids,
    references,
    config: await readBlob(archive, config, imageConfigSchema),
    layers: layers.map((layer) => blob(archive, layer)),
  }
}

interface Leaf {
  readonly descriptor: Descriptor
  /** Of the manifest, and of all indexes above it but the archive's own. */
  readonly ids: readonly string[]
  readonly references: readonly string[]
  readonly manifest: { readonly config: Descriptor; readonly layers: readonly Descriptor[] }
}

/** An index within an index is usual, and one within that is not. */
const maxDepth = 3

async function manifestsOf(archive: SpooledArchive): Promise<readonly Leaf[]> {
  const leaves: Leaf[] = []
  const visit = async (
    descriptor: Descriptor,
    above: Pick<Leaf, 'ids' | 'references'>,
    depth: number,
  ): Promise<void> => {
    // Signatures and attestations stand among the images, as such of no machine.
    if (descriptor.platform?.os === 'unknown' || leaves.length > 100) return
    const { annotations = {} } = descriptor
    const name =
      annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name']
    const ids = [descriptor.digest, ...above.ids]
    const references = name === undefined ? above.references : [name, ...above.references]
    if (archive.file(blobPath(descriptor.digest)) === undefined) return
    if (/index|list/.test(descriptor.mediaType) && depth < maxDepth) {
      const { manifests } = await readBlob(archive, descriptor, indexSchema)
      for (const one of manifests) await visit(one, { ids, references }, depth + 1)
    } else {
      const manifest = await readBlob(archive, descriptor, manifestSchema)
      leaves.push({ descriptor, ids, references, manifest })
    }
  }
  const { manifests } = await read(archive, 'index.json', indexSchema)
  for (const one of manifests) await visit(one, { ids: [], references: [] }, 0)
  return leaves
}

async function indexedIds(archive: SpooledArchive) {
  const leaves = await manifestsOf(archive)
  return leaves.map(({ manifest, ids }) => ({ config: manifest.config.digest, ids }))
}

function theOne<One>(
  all: readonly One[],
  isMeant: (one: One) => boolean,
  names: readonly string[],
): One {
  const [one, another] = all.filter(isMeant)
  const listed = names.length === 0 ? '' : `: ${names.slice(0, 10).join(', ')}`
  if (one === undefined) throw badArchive(`what was asked for is not among its images${listed}`)
  if (another !== undefined)
    throw badArchive(`it holds several images, and none was named${listed}`)
  return one
}

function mustHave(archive: SpooledArchive, path: string): ArchiveFile {
  const file = archive.file(Buffer.from(path).toString('latin1'))
  if (file === undefined) throw badArchive(`it lacks the file ${JSON.stringify(path)}`)
  return file
}

function blob(archive: SpooledArchive, { digest, size }: Descriptor): ArchiveFile {
  const file = mustHave(archive, blobPath(digest))
  if (file.digest !== digest || file.sizeBytes !== size)
    throw badArchive(`the file ${blobPath(digest)} was changed: its digest or its size is another`)
  return file
}

type Schema<Output> = Parameters<typeof parseDocument<Output>>[0]

const read = async <Output>(archive: SpooledArchive, path: string, schema: Schema<Output>) =>
  parse(archive, mustHave(archive, path), schema, path)

const readBlob = async <Output>(
  archive: SpooledArchive,
  descriptor: Descriptor,
  schema: Schema<Output>,
) => parse(archive, blob(archive, descriptor), schema, blobPath(descriptor.digest))

async function parse<Output>(
  { spool }: SpooledArchive,
  { offset, sizeBytes }: ArchiveFile,
  schema: Schema<Output>,
  name: string,
): Promise<Output> {
  if (sizeBytes > maxDocumentBytes) throw badArchive(`its ${name} is longer than 4 MiB`)
  if (offset === undefined) throw badArchive(`its ${name} is a tar archive`)
  return parseDocument(schema, await spool.copy(offset, sizeBytes), name)
}
