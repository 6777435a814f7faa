import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AegisError } from '@aegis/core'
import { traceOf } from '../file-trace.ts'
import type { GuestKernel } from '../machine/machine-plan.ts'
import { kernelLimits } from './kernel-limits.ts'
import { type KernelRecord, parseKernelRecord } from './kernel-record.ts'

/**
 * The kernels of a node: `<directory>/<digest>/vmlinux`, what is known of it beside it in
 * `kernel.json`, and in `<directory>/current` the digest of the one that machines boot. Several
 * processes may use one store at once: everything is renamed into place.
 */
export interface KernelStore {
  /**
   * The kernel that machines boot. Its file was read, and not touched since, and is the one that was stored.
   * @throws AegisError `unsupported` / `kernel.absent` none was fetched yet · `unavailable` /
   * `kernel.altered`, `kernel.record`
   */
  current(): Promise<GuestKernel>
  /** What is known of the same; undefined when none was fetched yet. */
  currentRecord(): Promise<KernelRecord | undefined>
  /** All of them, newest first. One whose record cannot be read is left out. */
  list(): Promise<readonly KernelRecord[]>
  /**
   * Stores a kernel that was looked over. One that is there already, and whole, keeps its record:
   * it came from where it came from first.
   * @throws AegisError `exhausted` / `kernel.too-many`
   */
  add(
    kernel: Buffer,
    known: Omit<KernelRecord, 'digest' | 'sizeBytes' | 'modules'>,
    modules?: StoredModules,
  ): Promise<KernelRecord>
  /** Has machines boot this one from now on. */
  use(digest: string): Promise<void>
}

/** The drivers of a kernel that has few built in. */
export interface StoredModules {
  /** As a kernel unpacks them: `/modules/<number>-<name>.ko`. */
  readonly archive: Buffer
  readonly names: readonly string[]
}

export function openKernelStore(directory: string): KernelStore {
  /** Traces of files that were seen to be whole: a boot does not read them again. */
  const checked = new Map<string, string>()
  const currentRecord = async () => {
    const digest = await readCurrent(directory)
    return digest === undefined ? undefined : readRecord(directory, digest)
  }
  return {
    currentRecord,
    async current() {
      const record = await currentRecord()
      if (record === undefined) throw absent()
      const path = join(directory, record.digest, 'vmlinux')
      await checkWhole(directory, record, checked)
      return {
        path,
        digest: record.digest,
        arguments: record.arguments,
        ...(record.needsAcpi && { needsAcpi: true }),
        ...(record.modules && {
          modules: { path: modulesPath(directory, record), digest: record.modules.digest },
        }),
      }
    },
    async list() {
      const records: KernelRecord[] = []
      for (const digest of await digestsIn(directory)) {
        const record = await readRecord(directory, digest).catch(undefinedIfBroken)
        if (record !== undefined) records.push(record)
      }
      return records.sort((one, other) => (one.fetchedAt < other.fetchedAt ? 1 : -1))
    },
    async add(kernel, known, modules) {
      const digest = sha256Of(kernel)
      const record: KernelRecord = {
        ...known,
        ...{ digest, sizeBytes: kernel.length },
        ...(modules && {
          modules: {
            digest: sha256Of(modules.archive),
            sizeBytes: modules.archive.length,
            names: [...modules.names],
          },
        }),
      }
      const stored = await wholeRecord(directory, digest)
      if (stored !== undefined) return stored
      const others = (await digestsIn(directory)).filter((one) => one !== digest)
      if (others.length >= kernelLimits.kernels) throw tooMany(directory)
      await removeUnfinished(directory)
      const unfinished = join(directory, `${unfinishedPrefix}${randomUUID()}`)
      await mkdir(unfinished, { recursive: true })
      try {
        await writeFile(join(unfinished, 'vmlinux'), kernel, { mode: 0o444, flush: true })
        if (modules !== undefined)
          await writeFile(join(unfinished, modulesFile), modules.archive, {
            mode: 0o444,
            flush: true,
          })
        await writeFile(
          join(unfinished, 'kernel.json'),
          `${JSON.stringify(record, undefined, 2)}\n`,
        )
        // A monitor reads it as a user of its own.
        await chmod(unfinished, 0o755)
        return (await putInPlace(unfinished, directory, digest)) ?? record
      } finally {
        await rm(unfinished, { recursive: true, force: true })
      }
    },
    async use(digest) {
      const unfinished = join(directory, `${unfinishedPrefix}${randomUUID()}`)
      await writeFile(unfinished, `${digest}\n`)
      await rename(unfinished, join(directory, 'current'))
    },
  }
}

const unfinishedPrefix = '.unfinished-'
const unfinishedMs = 3_600_000

async function digestsIn(directory: string): Promise<readonly string[]> {
  const names = (await readdir(directory).catch(undefinedIfAbsent)) ?? []
  return names.filter((name) => /^[0-9a-f]{64}$/.test(name))
}

/** What a crash left; nobody takes an hour to write a kernel. */
async function removeUnfinished(directory: string): Promise<void> {
  const names = (await readdir(directory).catch(undefinedIfAbsent)) ?? []
  for (const name of names.filter((one) => one.startsWith(unfinishedPrefix))) {
    const path = join(directory, name)
    const found = await stat(path).catch(undefinedIfAbsent)
    if (found !== undefined && Date.now() - found.mtimeMs > unfinishedMs)
      await rm(path, { recursive: true, force: true })
  }
}

/** Of two that store the same at once, the first wins: the other gets its record. */
async function putInPlace(
  unfinished: string,
  directory: string,
  digest: string,
): Promise<KernelRecord | undefined> {
  const path = join(directory, digest)
  try {
    await rename(unfinished, path)
    return undefined
  } catch (error) {
    if (!isThere(error)) throw error
    const stored = await wholeRecord(directory, digest)
    if (stored !== undefined) return stored
    // Damaged, so that nobody boots it meanwhile.
    await rm(path, { recursive: true, force: true })
    await rename(unfinished, path)
    return undefined
  }
}

const isThere = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ENOTEMPTY' || error.code === 'EEXIST')

async function readCurrent(directory: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'current'), 'utf8').catch(undefinedIfAbsent)
  const digest = text?.trim()
  return digest !== undefined && /^[0-9a-f]{64}$/.test(digest) ? digest : undefined
}

async function readRecord(directory: string, digest: string): Promise<KernelRecord | undefined> {
  const path = join(directory, digest, 'kernel.json')
  const text = await readFile(path, 'utf8').catch(undefinedIfAbsent)
  return text === undefined ? undefined : parseKernelRecord(text, path)
}

/** The record of a kernel that is there and was not damaged. */
async function wholeRecord(directory: string, digest: string): Promise<KernelRecord | undefined> {
  const record = await readRecord(directory, digest).catch(undefinedIfBroken)
  if (record === undefined) return undefined
  return checkWhole(directory, record).then(
    () => record,
    () => undefined,
  )
}

const modulesFile = 'modules.cpio'
const modulesPath = (directory: string, { digest }: KernelRecord): string =>
  join(directory, digest, modulesFile)

const sha256Of = (content: Buffer): string => createHash('sha256').update(content).digest('hex')

async function checkWhole(
  directory: string,
  record: KernelRecord,
  checked = new Map<string, string>(),
): Promise<void> {
  const files = [[join(directory, record.digest, 'vmlinux'), record.digest]]
  if (record.modules) files.push([modulesPath(directory, record), record.modules.digest])
  for (const [path = '', digest = ''] of files) {
    // Taken before the file is read, so that what changes meanwhile counts as a change.
    const trace = await traceOf(path).catch(() => undefined)
    if (trace !== undefined && checked.get(path) === trace) continue
    await check(path, digest)
    if (trace !== undefined) checked.set(path, trace)
  }
}

async function check(path: string, digest: string): Promise<void> {
  const hash = createHash('sha256')
  let problem: string | undefined
  try {
    await pipeline(createReadStream(path), hash)
    if (hash.digest('hex') !== digest) problem = 'was changed since it was stored'
  } catch (error) {
    problem = `cannot be read: ${error instanceof Error ? error.message : error}`
  }
  if (problem !== undefined)
    throw new AegisError(
      'unavailable',
      'kernel.altered',
      `The kernel ${path} ${problem}. Fetch it again: aegis kernel fetch`,
    )
}

const absent = () =>
  new AegisError(
    'unsupported',
    'kernel.absent',
    'Micro-VMs need a kernel of their own, and this node has none yet. Fetch one: aegis kernel fetch',
  )

const tooMany = (directory: string) =>
  new AegisError(
    'exhausted',
    'kernel.too-many',
    `This node keeps ${kernelLimits.kernels} kernels already, and no more. Remove folders of old ones from ${directory}.`,
  )

function undefinedIfAbsent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}

function undefinedIfBroken(error: unknown): undefined {
  if (error instanceof AegisError && error.code === 'kernel.record') return undefined
  throw error
}
