import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { AegisError, type Logger } from '@aegis/core'
import { falseIfAbsent, isAbsence, noneIfAbsent } from '../absence.ts'
import { type CacheRecord, diskFormat, parseCacheRecord } from './cache-record.ts'
import { isAlive, processMark } from './process-mark.ts'

/** A disk of the cache. */
export interface CachedDisk {
  readonly record: CacheRecord
  readonly path: string
  /** Machines that use it now, of this process and of others. */
  readonly machines: number
}

/** What leads to a disk. */
export type KnownAs = Partial<
  Pick<CacheRecord, 'names' | 'references' | 'digests' | 'otherIds' | 'own'>
>

/** A disk in use: it stays until this is disposed. */
export interface DiskUse extends AsyncDisposable {
  readonly record: CacheRecord
  readonly path: string
}

/**
 * Disks of machines, each made of one image: `<directory>/<digest>.<format>/image.erofs`, with
 * `image.json` beside it and a file `use.<process>` for each machine. Several processes may share it.
 * A disk appears whole and by one rename; what an owner that died left is removed by `sweep`.
 */
export interface DiskCache {
  list(): Promise<readonly CachedDisk[]>
  /** By an id or a name that was given to it. */
  find(idOrName: string): Promise<CachedDisk | undefined>
  /** Undefined when there is none. */
  use(id: string): Promise<DiskUse | undefined>
  /** An empty directory for making one; disposing removes what is left of it. */
  workshop(): Promise<{ readonly directory: string } & AsyncDisposable>
  /** Takes the disk over from the workshop. Another process may have been quicker. */
  add(diskPath: string, record: CacheRecord): Promise<void>
  /** Notes by what else a disk is known, and that it is the node's own; quietly fine when it is gone. */
  note(id: string, known: KnownAs): Promise<void>
  /** Quietly fine when it is gone. @throws AegisError `conflict` / `image.used` */
  remove(id: string): Promise<void>
  /** Removes what dead processes left; tells what. */
  sweep(): Promise<readonly string[]>
}

const entryPattern = new RegExp(`^([0-9a-f]{64})\\.${diskFormat}$`)
const maxRecordBytes = 1 << 20

export function openDiskCache(directory: string, logger?: Logger): DiskCache {
  const entryOf = (id: string) => join(directory, `${id.replace(/^sha256:/, '')}.${diskFormat}`)
  const names = async () => readdir(directory).catch(noneIfAbsent)

  const read = async (entry: string): Promise<CachedDisk | undefined> => {
    const record = await readRecord(entry)
    const path = join(entry, 'image.erofs')
    const size = await stat(path).then(
      (found) => found.size,
      () => -1,
    )
    if (record === undefined || size !== record.sizeBytes || entryOf(record.id) !== entry)
      return undefined
    return { record, path, machines: (await usesOf(entry)).length }
  }

  const list = async () => {
    const entries = (await names()).filter((name) => entryPattern.test(name))
    const disks = await Promise.all(entries.map((name) => read(join(directory, name))))
    return disks.filter((disk) => disk !== undefined)
  }

  const find = async (idOrName: string) => {
    const id = /^(sha256:)?([0-9a-f]{64})$/.exec(idOrName)?.[2]
    if (id !== undefined) {
      const direct = await read(entryOf(id))
      if (direct !== undefined) return direct
    }
    const all = (await list()).sort((one, other) =>
      one.record.madeAt < other.record.madeAt ? 1 : -1,
    )
    return all.find(
      ({ record }) =>
        record.names.includes(idOrName) ||
        record.references.includes(idOrName) ||
        record.digests.includes(idOrName) ||
        (id !== undefined && record.otherIds.includes(`sha256:${id}`)),
    )
  }

  /** Each leads to one image, the latest that was given it. */
  const takeNames = async ({ id, names: taken, references }: CacheRecord) => {
    for (const { record: other } of await list()) {
      if (other.id === id) continue
      const left = {
        ...other,
        names: other.names.filter((name) => !taken.includes(name)),
        references: other.references.filter((name) => !references.includes(name)),
      }
      if (!isDeepStrictEqual(left, other)) await writeRecord(entryOf(other.id), left)
    }
  }

  const newHidden = async (what: 'part' | 'gone') =>
    join(directory, `.${what}-${await processMark()}`)

  const discard = async (entry: string): Promise<void> => {
    const hidden = await newHidden('gone')
    const moved = await rename(entry, hidden).then(() => true, falseIfAbsent)
    if (moved) await rm(hidden, { recursive: true, force: true })
  }

  return {
    list,
    find,
    async use(id) {
      const disk = await find(id)
      if (disk === undefined) return undefined
      const entry = entryOf(disk.record.id)
      const mark = join(entry, `use.${await processMark()}`)
      try {
        await writeFile(mark, '', { mode: 0o600 })
      } catch (error) {
        // It was pruned just now.
        if (isAbsence(error)) return undefined
        throw error
      }
      return {
        record: disk.record,
        path: disk.path,
        [Symbol.asyncDispose]: () => rm(mark, { force: true }),
      }
    },

    async workshop() {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const path = await newHidden('part')
      await mkdir(path, { mode: 0o700 })
      return {
        directory: path,
        [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
      }
    },

    async add(diskPath, record) {
      await takeNames(record)
      const entry = entryOf(record.id)
      const part = await newHidden('part')
      await mkdir(part, { mode: 0o700 })
      try {
        await rename(diskPath, join(part, 'image.erofs'))
        await writeRecord(part, record)
        // A directory takes the place of an empty one alone.
        if (await rename(part, entry).then(() => true, falseIfThere)) {
          await syncDirectory(directory)
          return
        }
        const known = (await read(entry))?.record
        if (known === undefined) {
          await discard(entry)
          await rename(part, entry)
        } else {
          await writeRecord(entry, merged(known, record))
        }
      } finally {
        await rm(part, { recursive: true, force: true })
      }
    },

    async note(id, known) {
      const record = (await find(id))?.record
      if (record === undefined) return
      const next = merged(record, known)
      if (isDeepStrictEqual(next, record)) return
      await takeNames(next)
      await writeRecord(entryOf(record.id), next)
    },

    async remove(id) {
      const disk = await find(id)
      if (disk === undefined) return
      if (disk.machines > 0)
        throw new AegisError(
          'conflict',
          'image.used',
          `The disk of the image ${disk.record.names[0] ?? disk.record.id.slice(0, 19)} is not removed: ${disk.machines} ${disk.machines === 1 ? 'micro-VM uses' : 'micro-VMs use'} it`,
        )
      await discard(entryOf(disk.record.id))
    },

    async sweep() {
      const removed: string[] = []
      for (const name of await names()) {
        const path = join(directory, name)
        const mark = /^\.(part|gone)-(.+)$/.exec(name)?.[2]
        const isLeft = mark !== undefined && !(await isAlive(mark))
        const isOld = /^[0-9a-f]{64}\.\d+$/.test(name) && (await read(path)) === undefined
        if (!isLeft && !isOld) continue
        await rm(path, { recursive: true, force: true })
        removed.push(`machine image ${name}`)
      }
      if (removed.length > 0)
        logger?.info({ removed }, 'Removed what was left of images for machines')
      return removed
    },
  }
}

/** What both know, within what a record may hold; the newest of each are the last. */
function merged(record: CacheRecord, more: KnownAs): CacheRecord {
  const both = (one: readonly string[], other: readonly string[] = [], most = 1000) =>
    [...new Set([...one, ...other])].slice(-most)
  return {
    ...record,
    names: both(record.names, more.names),
    references: both(record.references, more.references),
    digests: both(record.digests, more.digests),
    otherIds: both(record.otherIds, more.otherIds, 20),
    own: record.own || more.own === true,
  }
}

async function readRecord(entry: string): Promise<CacheRecord | undefined> {
  const path = join(entry, 'image.json')
  const size = await stat(path).then(
    (found) => found.size,
    () => undefined,
  )
  if (size === undefined || size > maxRecordBytes) return undefined
  return parseCacheRecord(await readFile(path, 'utf8').catch(() => ''))
}

async function writeRecord(entry: string, record: CacheRecord): Promise<void> {
  const part = join(entry, `.image.json.${await processMark()}`)
  const file = await open(part, 'wx', 0o600)
  try {
    await file.writeFile(JSON.stringify(record))
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(part, join(entry, 'image.json'))
  await syncDirectory(entry)
}

/** Those of processes that ended are removed by the way. */
async function usesOf(entry: string): Promise<readonly string[]> {
  const marks = (await readdir(entry).catch(noneIfAbsent)).filter((name) => name.startsWith('use.'))
  const living: string[] = []
  for (const mark of marks) {
    if (await isAlive(mark.slice('use.'.length))) living.push(mark)
    else await rm(join(entry, mark), { force: true })
  }
  return living
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}

function falseIfThere(error: unknown): false {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
  throw error
}
