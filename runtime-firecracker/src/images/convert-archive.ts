import { join } from 'node:path'
import { AegisError } from '@aegis/core'
import { type ArchiveLimits, defaultArchiveLimits } from './archive/archive-limits.ts'
import { badArchive } from './archive/bad-archive.ts'
import { compressionOf, decompress, magicBytes } from './archive/decompress.ts'
import { type Layer, mergeLayers } from './archive/merge-layers.ts'
import { type ResolvedImage, resolveImage, type Wanted } from './archive/resolve-image.ts'
import { type MemberBudget, type ScannedBytes, scanLayer } from './archive/scan-layer.ts'
import {
  type ArchiveFile,
  type ByteBudget,
  needSpace,
  noSpace,
  type SpooledArchive,
  spend,
  spoolArchive,
} from './archive/spool-archive.ts'
import { openSpoolFile } from './archive/spool-file.ts'
import { bytesInFiles } from './erofs/tree-size.ts'
import { type WrittenErofs, writeErofsTree } from './erofs/write-erofs.ts'

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
    const spoolPath = join(directory, 'archive.tar')
    const archive = undo.use(
      await spoolArchive(stream, { path: spoolPath, limits, members, bytes, onBytes }, signal),
    )
    const image = await resolveImage(archive, options)
    const layers: Layer[] = []
    for (const [index, file] of image.layers.entries()) {
      const digest = image.config.rootfs.diff_ids[index] ?? ''
      const unpack = () => {
        onProgress({ phase: 'unpacking', bytes: read })
        const layerPath = join(directory, `layer-${index}.tar`)
        return unpackLayer(archive, file, { path: layerPath, limits, members, bytes }, signal, undo)
      }
      const layer = file.digest === digest ? { ...file, file: archive.spool } : await unpack()
      if (layer.digest !== digest)
        throw badArchive(`its layer ${index + 1} is not the one that its configuration names`)
      layers.push({ members: membersOf(layer), archive: layer.file.part(layer.offset) })
    }
    const root = await mergeLayers(layers, limits.maxInodes, signal)
    await needSpace(path, bytesInFiles(root))
    onProgress({ phase: 'writing', bytes: read })
    return { image, path, ...(await writeErofsTree(path, root, signal)) }
  } catch (error) {
    signal.throwIfAborted()
    const isFull =
      error instanceof Error && 'code' in error && /^(ENOSPC|EDQUOT|EFBIG)$/.test(`${error.code}`)
    throw isFull ? noSpace(directory, error) : error
  }
}

interface Unpacking {
  readonly path: string
  readonly limits: ArchiveLimits
  readonly members: MemberBudget
  readonly bytes: ByteBudget
}

/** Into a file of its own, which `undo` closes. */
async function unpackLayer(
  { spool }: SpooledArchive,
  packed: ArchiveFile,
  { path, limits, members, bytes }: Unpacking,
  signal: AbortSignal,
  undo: AsyncDisposableStack,
) {
  const beginning = await spool.copy(packed.offset, Math.min(magicBytes, packed.sizeBytes))
  const compression = compressionOf(beginning)
  if (compression === 'none')
    throw badArchive('the digest of a layer is not the one that its configuration names')
  const file = undo.use(await openSpoolFile(path))
  const scan = scanLayer(members)
  const take = async (part: Uint8Array) => {
    spend(bytes, part.length, limits)
    scan.push(part)
    await file.append(part)
  }
  await decompress(spool.region(packed.offset, packed.sizeBytes), compression, take, signal)
  await file.finish()
  return { ...scan.finish(), file, offset: 0 }
}

function membersOf({ members }: ScannedBytes) {
  if (members instanceof AegisError) throw members
  return members
}
