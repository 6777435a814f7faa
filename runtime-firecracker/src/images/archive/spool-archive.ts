import { statfs } from 'node:fs/promises'
import { dirname, posix } from 'node:path'
import { AegisError } from '@aegis/core'
import { type ByteText, namesOf } from '../erofs/tree.ts'
import { type ArchiveLimits, maxArchiveFiles } from './archive-limits.ts'
import { badArchive, tooLarge } from './bad-archive.ts'
import { compressionOf, decompress, magicBytes } from './decompress.ts'
import { type LayerScan, type MemberBudget, type ScannedBytes, scanLayer } from './scan-layer.ts'
import { openSpoolFile, type SpoolFile } from './spool-file.ts'
import { makeTarScanner, type TarMember } from './tar-scanner.ts'

/** A file of an archive, as it lies in the spool. */
export interface ArchiveFile extends ScannedBytes {
  readonly offset: number
  readonly sizeBytes: number
}

/** An archive with an image in it, every byte of which was read once. */
export interface SpooledArchive {
  readonly spool: SpoolFile
  /** By the path within, links followed. */
  file(path: ByteText): ArchiveFile | undefined
}

/** Counts what an image may still take up, for all that is unpacked from it. */
export interface ByteBudget {
  left: number
}

interface Options {
  readonly path: string
  readonly limits: ArchiveLimits
  readonly members: MemberBudget
  readonly bytes: ByteBudget
  readonly onBytes: (bytes: number) => void
}

/**
 * Writes an archive into a new file at `path`, while it is hashed and listed. It may be packed with
 * gzip or zstd as a whole.
 * @throws AegisError `invalid` / `image.archive`, `image.too-large` · `exhausted` / `image.space`
 */
export async function spoolArchive(
  stream: AsyncIterable<Uint8Array>,
  { path, limits, members, bytes: budget, onBytes }: Options,
  signal: AbortSignal,
): Promise<SpooledArchive & AsyncDisposable> {
  await using undo = new AsyncDisposableStack()
  const spool = undo.use(await openSpoolFile(path))
  const files = new Map<ByteText, ArchiveFile>()
  const links = new Map<ByteText, ByteText>()
  let current: { readonly member: TarMember; readonly scan: LayerScan } | undefined

  const scanner = makeTarScanner({
    member(member) {
      const name = namesOf(member.path).join('/')
      if (files.size + links.size >= maxArchiveFiles)
        throw badArchive(`it has more than ${maxArchiveFiles} files beside those in its layers`)
      if (member.kind === 'symlink')
        links.set(name, posix.normalize(posix.join(posix.dirname(name), member.linkPath)))
      if (member.kind === 'link') links.set(name, namesOf(member.linkPath).join('/'))
      if (member.kind === 'file') current = { member, scan: scanLayer(members) }
    },
    content: (part) => current?.scan.push(part),
    memberEnd() {
      if (current === undefined) return
      const { path: memberPath, offset, sizeBytes } = current.member
      const name = namesOf(memberPath).join('/')
      files.set(name, { offset, sizeBytes, ...current.scan.finish() })
      current = undefined
    },
  })

  const take = async (part: Uint8Array) => {
    signal.throwIfAborted()
    spend(budget, part.length, limits)
    scanner.push(part)
    await spool.append(part)
    onBytes(part.length)
  }
  const { beginning, whole } = await peek(stream)
  await decompress(whole, compressionOf(beginning), take, signal)
  scanner.end()
  await spool.finish()
  const resources = undo.move()
  return {
    spool,
    file: (name) => files.get(resolveLink(name, links)),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export function spend(budget: ByteBudget, bytes: number, { maxBytes }: ArchiveLimits): void {
  budget.left -= bytes
  if (budget.left < 0)
    throw tooLarge(`more than ${maxBytes / 2 ** 30} GiB, unpacked and as an archive together`)
}

/** Free space that conversions leave to others. */
const spareBytes = 256 * 2 ** 20

/** @throws AegisError `exhausted` / `image.space` */
export async function needSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path))
  if (bavail * bsize - bytes < spareBytes) throw noSpace(dirname(path))
}

export const noSpace = (directory: string, cause?: unknown): AegisError =>
  new AegisError(
    'exhausted',
    'image.space',
    `The disk of ${directory} is too full to make an image for micro-VMs. Remove some: aegis image prune, or give it more space`,
    { cause },
  )

/** Docker before 25 names a layer that several images share by links. */
function resolveLink(path: ByteText, links: ReadonlyMap<ByteText, ByteText>): ByteText {
  let at = path
  for (let hops = 0; hops < 8; hops++) {
    const next = links.get(at)
    if (next === undefined) return at
    at = next
  }
  return at
}

async function peek(stream: AsyncIterable<Uint8Array>) {
  const iterator = stream[Symbol.asyncIterator]()
  let beginning = Buffer.alloc(0)
  let isOver = false
  while (beginning.length < magicBytes && !isOver) {
    const { value, done } = await iterator.next()
    if (done === true) isOver = true
    else beginning = Buffer.concat([beginning, value])
  }
  async function* whole(): AsyncIterable<Uint8Array> {
    try {
      yield beginning
      if (!isOver) yield* { [Symbol.asyncIterator]: () => iterator }
    } finally {
      await iterator.return?.()
    }
  }
  return { beginning, whole: whole() }
}
