import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import { type ArchiveLimits, defaultArchiveLimits } from './archive/archive-limits.ts'
import { badArchive } from './archive/bad-archive.ts'
import { compressionOf, decompress, magicBytes } from './archive/decompress.ts'
import { mergeLayers } from './archive/merge-layers.ts'
import type { ArchiveFile } from './archive/read-file.ts'
import { type ResolvedImage, resolveImage, type Wanted } from './archive/resolve-image.ts'
import {
  type FileSink,
  type LayerMember,
  type MemberBudget,
  type ScannedBytes,
  scanLayer,
} from './archive/scan-layer.ts'
import { type ByteBudget, spend, spoolArchive } from './archive/spool-archive.ts'
import type { SpoolFile } from './archive/spool-file.ts'
import { needSpace, noSpace } from './disk-space.ts'
import { type ErofsWriter, openErofsWriter, type WrittenErofs } from './erofs/erofs-writer.ts'
import { PlacedFile } from './erofs/placed-file.ts'
import type { FileNode } from './erofs/tree.ts'
import { bytesInFiles } from './erofs/tree-facts.ts'
import { writeErofsTree } from './erofs/write-erofs.ts'

/** How far the making of a disk is, for people. */
export interface ConversionProgress {
  readonly phase: 'reading' | 'unpacking' | 'writing'
  /** Of the archive. */
  readonly bytes: number
}

export interface Conversion extends Wanted {
  /** `docker save`, or an OCI layout in a tar. */
  readonly archive: AsyncIterable<Uint8Array>
  /** Empty, and removed by whoever made it. */
  readonly directory: string
  readonly limits?: Partial<ArchiveLimits>
  readonly onProgress?: (progress: ConversionProgress) => void
}

export interface Converted extends WrittenErofs {
  readonly image: ResolvedImage
  /** In the directory. */
  readonly path: string
}

/**
 * Makes the disk of a machine from an archive with an image. Every digest is checked, of the
 * configuration as of the unpacked layers, and the same image gives the same bytes whatever it came in.
 *
 * The files of layers go straight to where the disk has them. Only where that was not as the image has
 * them, since layers came in another order or one removes what another brought, a second disk is
 * written from the first.
 * @throws AegisError `invalid` / `image.archive`, `image.path`, `image.layer`, `image.too-large` ·
 * `unsupported` / `image.platform` · `exhausted` / `image.space`
 */
export async function convertArchive(
  { archive: stream, directory, onProgress = () => undefined, ...options }: Conversion,
  signal: AbortSignal,
): Promise<Converted> {
  const limits = { ...defaultArchiveLimits, ...options.limits }
  const members: MemberBudget = { leftBytes: limits.maxMemberBytes }
  const bytes: ByteBudget = { left: limits.maxBytes }
  let read = 0
  const onBytes = (more: number) => {
    read += more
    onProgress({ phase: 'reading', bytes: read })
  }
  try {
    await using undo = new AsyncDisposableStack()
    const path = join(directory, 'image.erofs')
    await needSpace(path, 0)
    const disk = undo.use(await openErofsWriter(path))
    const room = roomOn(disk, path, () => limits.maxBytes - bytes.left)
    const work: Unpacking = { limits, members, bytes, sink: disk, room }
    const spoolPath = join(directory, 'archive.tar')
    const archive = undo.use(
      await spoolArchive(stream, { ...work, path: spoolPath, onBytes }, signal),
    )
    const image = await resolveImage(archive, options)
    const layers: (readonly LayerMember[])[] = []
    for (const [index, file] of image.layers.entries()) {
      const digest = image.config.rootfs.diff_ids[index] ?? ''
      if (file.digest !== digest) onProgress({ phase: 'unpacking', bytes: read })
      const layer =
        file.digest === digest ? file : await unpackLayer(archive.spool, file, work, signal)
      if (layer.digest !== digest)
        throw badArchive(`its layer ${index + 1} is not the one that its configuration names`)
      layers.push(membersOf(layer))
    }
    const { root, files } = await mergeLayers(layers, limits.maxInodes, signal)
    onProgress({ phase: 'writing', bytes: read })
    if (disk.holds(files)) return { image, path, ...(await disk.finish(root, placeOf, signal)) }
    await disk.seal()
    const orderedPath = join(directory, 'ordered.erofs')
    await needSpace(orderedPath, bytesInFiles(files))
    const written = await writeErofsTree(orderedPath, root, signal, files)
    return { image, path: orderedPath, ...written }
  } catch (error) {
    signal.throwIfAborted()
    const isFull =
      error instanceof Error && 'code' in error && /^(ENOSPC|EDQUOT|EFBIG)$/.test(`${error.code}`)
    throw isFull ? noSpace(directory, error) : error
  }
}

interface Unpacking {
  readonly limits: ArchiveLimits
  readonly members: MemberBudget
  readonly bytes: ByteBudget
  readonly sink: FileSink
  readonly room: () => Promise<void>
}

/** Its files to the sink, whatever packed it. */
async function unpackLayer(
  spool: SpoolFile,
  { offset, sizeBytes }: ArchiveFile,
  { limits, members, bytes, sink, room }: Unpacking,
  signal: AbortSignal,
): Promise<ScannedBytes> {
  const beginning =
    offset === undefined ? undefined : await spool.copy(offset, Math.min(magicBytes, sizeBytes))
  const compression = beginning === undefined ? 'none' : compressionOf(beginning)
  if (offset === undefined || compression === 'none')
    throw badArchive('the digest of a layer is not the one that its configuration names')
  const scan = scanLayer(members, sink)
  const take = async (part: Uint8Array) => {
    spend(bytes, part.length, limits)
    scan.push(part)
    await room()
  }
  await decompress(spool.region(offset, sizeBytes), compression, take, signal)
  return scan.finish()
}

function membersOf({ members }: ScannedBytes): readonly LayerMember[] {
  if (members instanceof AegisError) throw members
  return members
}

const placeOf = ({ content }: FileNode): PlacedFile | undefined =>
  content instanceof PlacedFile ? content : undefined

/** How much may be written until the free space is looked at again. */
const lookEveryBytes = 64 << 20

/** What is to be awaited between pieces: room in memory, and from time to time on the disk. */
function roomOn(disk: ErofsWriter, path: string, doneBytes: () => number): () => Promise<void> {
  let seenBytes = 0
  return async () => {
    await disk.room()
    if (doneBytes() - seenBytes < lookEveryBytes) return
    seenBytes = doneBytes()
    await needSpace(path, 0)
  }
}
