import { posix } from 'node:path'
import { type ByteText, namesOf } from '../erofs/tree.ts'
import { type ArchiveLimits, maxArchiveFiles } from './archive-limits.ts'
import { badArchive, tooLarge } from './bad-archive.ts'
import { compressionOf, decompress, magicBytes } from './decompress.ts'
import { type ArchiveFile, type FileReader, makeFileReader } from './read-file.ts'
import type { FileSink, MemberBudget } from './scan-layer.ts'
import { openSpoolFile, type SpoolFile } from './spool-file.ts'
import { makeTarScanner } from './tar-scanner.ts'

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
  /** Gets the files in those of its files that are tar archives: these are its layers. */
  readonly sink: FileSink
  /** To be awaited between pieces. */
  readonly room: () => Promise<void>
  readonly onBytes: (bytes: number) => void
}

/**
 * Reads an archive, which may be packed with gzip or zstd as a whole, while it is hashed and listed.
 * What lies in its layers goes to the sink, and what else it has into a new file at `path`.
 * @throws AegisError `invalid` / `image.archive`, `image.too-large` · `exhausted` / `image.space`
 */
export async function spoolArchive(
  stream: AsyncIterable<Uint8Array>,
  { path, limits, members, bytes: budget, sink, room, onBytes }: Options,
  signal: AbortSignal,
): Promise<SpooledArchive & AsyncDisposable> {
  await using undo = new AsyncDisposableStack()
  const spool = undo.use(await openSpoolFile(path))
  const files = new Map<ByteText, ArchiveFile>()
  const links = new Map<ByteText, ByteText>()
  let current: { readonly name: ByteText; readonly reader: FileReader } | undefined

  const scanner = makeTarScanner({
    member(member) {
      const name = namesOf(member.path).join('/')
      if (files.size + links.size >= maxArchiveFiles)
        throw badArchive(`it has more than ${maxArchiveFiles} files beside those in its layers`)
      if (member.kind === 'symlink')
        links.set(name, posix.normalize(posix.join(posix.dirname(name), member.linkPath)))
      if (member.kind === 'link') links.set(name, namesOf(member.linkPath).join('/'))
      if (member.kind === 'file')
        current = { name, reader: makeFileReader({ members, sink, spool }) }
    },
    content: (part) => current?.reader.push(part),
    memberEnd() {
      if (current === undefined) return
      files.set(current.name, current.reader.finish())
      current = undefined
    },
  })

  const take = async (part: Uint8Array) => {
    signal.throwIfAborted()
    spend(budget, part.length, limits)
    scanner.push(part)
    await room()
    await spool.room()
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
