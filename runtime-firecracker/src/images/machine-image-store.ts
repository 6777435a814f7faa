import { randomUUID } from 'node:crypto'
import {
  AegisError,
  type Image,
  type ImageStore,
  type Instant,
  type Logger,
  type PullProgress,
} from '@aegis/core'
import type { MachineImages } from '../machine/machine-images.ts'
import type { ArchiveLimits } from './archive/archive-limits.ts'
import { type ConversionProgress, convertArchive } from './convert-archive.ts'
import { type CachedDisk, openDiskCache } from './disk-cache.ts'
import { environmentOf } from './image-facts.ts'
import { converting, fetchProgress } from './image-progress.ts'
import type { ImageRegistry } from './image-registry.ts'
import type { ImageSource } from './image-source.ts'
import { makeSharedWork } from './shared-work.ts'

export interface MachineImageOptions {
  /** Ours alone; made when it is needed. */
  readonly directory: string
  /** An engine. What it has and fetches counts. */
  readonly source?: ImageSource
  /** Asked where no engine is to be expected. Without either, images are built from archives alone. */
  readonly registry?: ImageRegistry
  /** Of this machine, in Go's words: `amd64`. */
  readonly architecture: string
  readonly now: () => Instant
  readonly limits?: Partial<ArchiveLimits>
  readonly logger?: Logger
}

/** The images of a runtime whose machines boot from disks. */
export interface MachineImageStore extends AsyncDisposable {
  readonly store: ImageStore
  readonly machines: MachineImages
  /** Removes what dead processes left, and tells what. */
  sweep(): Promise<readonly string[]>
}

type Tell = (progress: PullProgress) => void

/** Each takes a disk and a processor for itself. */
const conversionsAtOnce = 1
/** These wait for registries, one of which may hang. */
const fetchesAtOnce = 3

/** Disposing ends the conversions under way; disks stay. */
export function openMachineImages(options: MachineImageOptions): MachineImageStore {
  const { registry, architecture, now, limits = {}, logger } = options
  const engine = (): ImageSource | undefined =>
    registry !== undefined && options.source?.isExpected?.() === false ? undefined : options.source
  const cache = openDiskCache(options.directory, logger)
  const conversions = makeSharedWork<PullProgress, CachedDisk>(conversionsAtOnce)
  const fetches = makeSharedWork<PullProgress, CachedDisk>(fetchesAtOnce)

  const convert = async (
    archive: AsyncIterable<Uint8Array>,
    wanted: { readonly image?: string; readonly name?: string | undefined },
    onProgress: (progress: ConversionProgress) => void,
    signal: AbortSignal,
  ): Promise<CachedDisk> => {
    await using workshop = await cache.workshop()
    const { directory } = workshop
    const built = wanted.image === undefined
    const { image, path, sizeBytes, inodes } = await convertArchive(
      { ...wanted, archive, directory, architecture, limits, onProgress },
      signal,
    )
    await cache.add(path, {
      version: 2,
      id: image.id,
      otherIds: [...image.otherIds],
      names: built ? [...(wanted.name === undefined ? image.references : [wanted.name])] : [],
      references: [],
      digests: [],
      sizeBytes,
      inodes,
      env: environmentOf(image.config),
      createdAt: instantOf(image.config.created),
      madeAt: now(),
      own: built,
    })
    const disk = await cache.find(image.id)
    if (disk === undefined) throw new Error('A disk vanished while it was made')
    return disk
  }

  const prepared = async (id: string, onProgress: Tell, signal: AbortSignal) => {
    const known = await cache.find(id)
    if (known !== undefined) return known
    const source = engine()
    if (source === undefined) throw absent(id, registry)
    const work = async (tell: Tell, until: AbortSignal) => {
      const archive = await source.archive(id, until)
      return convert(archive, { image: id }, converting(id, tell), until)
    }
    return conversions.join(id, work, onProgress, signal)
  }

  /** A disk of what a name means in its registry now, which is fetched unless it is here. */
  const fetched = async (
    { find, nameOf }: ImageRegistry,
    reference: string,
    tell: Tell,
    signal: AbortSignal,
  ): Promise<CachedDisk> => {
    const progress = fetchProgress(reference, tell)
    const { id, digest, otherIds, ...remote } = await find(reference, signal)
    if ((await cache.find(id)) === undefined) {
      const archive = remote.archive((done) => progress.fetching(remote, done), signal)
      await convert(archive, { image: id }, progress.converting, signal)
    }
    const name = nameOf(reference) ?? reference
    const references = name.includes('@') ? [] : [name]
    await cache.note(id, { references, digests: [digest], otherIds: [...otherIds], own: true })
    const disk = await cache.find(id)
    if (disk === undefined) throw new Error('A disk vanished once it was fetched')
    progress.done(remote)
    return disk
  }

  const withDisk = async (image: Image): Promise<Image> => {
    const disk = await cache.find(image.id)
    return disk === undefined ? image : { ...image, disk: diskOf(disk, false) }
  }

  const store: ImageStore = {
    async list(signal) {
      const disks = await cache.list()
      const images = await listOf(engine()?.store, disks.length > 0, signal)
      const known = new Set(images.map(({ id }) => id))
      const alone = disks.filter(
        ({ record }) => ![record.id, ...record.otherIds].some((id) => known.has(id)),
      )
      return [...(await Promise.all(images.map(withDisk))), ...alone.map(imageOf)]
    },

    async find(reference, signal) {
      const source = engine()
      const name = source === undefined ? registry?.nameOf(reference) : undefined
      const disk =
        (await cache.find(reference)) ?? (name === undefined ? undefined : await cache.find(name))
      // What the operator named here means what the operator said, whatever an engine means by it.
      if (disk?.record.names.includes(reference)) return imageOf(disk)
      const image = await source?.store.find(reference, signal).catch((error: unknown) => {
        // A disk that is there boots without its engine.
        if (disk !== undefined && isWithoutEngine(error)) return undefined
        throw error
      })
      return image === undefined ? disk && imageOf(disk) : withDisk(image)
    },

    async pull(reference, onProgress, signal) {
      const source = engine()
      if (source !== undefined)
        return withDisk(await source.store.pull(reference, onProgress, signal))
      if (registry === undefined) throw absent(reference, registry)
      const key = `pull ${registry.nameOf(reference) ?? reference}`
      const work = (tell: Tell, until: AbortSignal) => fetched(registry, reference, tell, until)
      return imageOf(await fetches.join(key, work, onProgress, signal))
    },

    async signatures(digest, signal) {
      const asked = engine()?.store ?? registry
      if (asked === undefined) throw absent(digest, registry)
      return asked.signatures(digest, signal)
    },

    async prepare(id, onProgress, signal) {
      await prepared(id, onProgress, signal)
    },

    async fromArchive({ archive, name }, onProgress, signal) {
      const work = (tell: Tell, until: AbortSignal) =>
        convert(archive, { name }, converting(name ?? 'archive', tell), until)
      return imageOf(await conversions.join(randomUUID(), work, onProgress, signal))
    },

    async remove(id, signal) {
      await cache.remove(id)
      const source = engine()
      const image = await source?.store.find(id, signal)
      if (image?.pulled === true) await source?.store.remove(image.id, signal)
    },
  }

  return {
    store,
    machines: {
      async open(id, signal) {
        // Twice, since what was prepared may be pruned before it is used.
        for (let attempt = 0; ; attempt++) {
          const use = await cache.use(id)
          if (use !== undefined)
            return {
              path: use.path,
              fileSystem: 'erofs',
              env: use.record.env,
              [Symbol.asyncDispose]: () => use[Symbol.asyncDispose](),
            }
          if (attempt > 1) throw absent(id, registry)
          await prepared(id, () => undefined, signal)
        }
      },
    },
    sweep: () => cache.sweep(),
    async [Symbol.asyncDispose]() {
      await Promise.all([conversions[Symbol.asyncDispose](), fetches[Symbol.asyncDispose]()])
    },
  }
}

const diskOf = ({ record, machines }: CachedDisk, alone: boolean): NonNullable<Image['disk']> => ({
  sizeBytes: record.sizeBytes,
  machines,
  alone,
})

const imageOf = (disk: CachedDisk): Image => ({
  id: disk.record.id,
  references: [...new Set([...disk.record.names, ...disk.record.references])],
  digests: disk.record.digests,
  sizeBytes: disk.record.sizeBytes,
  createdAt: disk.record.createdAt,
  pulled: disk.record.own,
  disk: diskOf(disk, true),
})

/** The beginning of time for images that do not say it, as for those that are reproducible. */
function instantOf(created: string | null | undefined): Instant {
  const ms = Date.parse(created ?? '')
  return new Date(Number.isFinite(ms) ? Math.trunc(ms / 1000) * 1000 : 0).toISOString()
}

const isWithoutEngine = (error: unknown): boolean =>
  error instanceof AegisError && error.code === 'engine.unreachable'

/** An engine that is away hides no disks; who has none hears of it. */
async function listOf(
  store: ImageStore | undefined,
  hasDisks: boolean,
  signal: AbortSignal,
): Promise<readonly Image[]> {
  try {
    return (await store?.list(signal)) ?? []
  } catch (error) {
    if (hasDisks && isWithoutEngine(error)) return []
    throw error
  }
}

const absent = (reference: string, registry: ImageRegistry | undefined): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    registry === undefined
      ? `The image ${reference} is not on this node, and it has no engine to fetch it. Build it from an archive: docker save NAME | aegis image build --from - NAME`
      : `The image ${reference} is not on this node any more. Fetch it again by its name: aegis image pull NAME`,
  )
