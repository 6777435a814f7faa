import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import {
  type AuditProgress,
  type Checkpoint,
  entriesPath,
  openCheckpoint,
  parseVerifierKey,
  rootAt,
  sameBytes,
  tilePath,
  tilesBetween,
  tileWidth,
} from '@aegis/core/audit'
import { auditCrypto, merkleHash } from './audit-crypto.ts'
import { exportSource } from './export-source.ts'

/** The log as whoever shows it gives it away. */
export interface ReadableLog {
  key(): Promise<string>
  checkpoint(): Promise<string>
  tile(path: string): Promise<Uint8Array>
}

export interface ExportLogOptions {
  readonly log: ReadableLog
  readonly directory: string
  /** Leave out the bodies of the bundles before this entry. */
  readonly from?: number | undefined
  readonly onProgress: (progress: AuditProgress) => void
  readonly signal: AbortSignal
}

export interface ExportOutcome {
  readonly size: number
  /** Entries of an earlier export, which were there. */
  readonly before: number
  /** Bodies that the log no longer has. */
  readonly dropped: number
  readonly key: string
}

/**
 * Writes a log into a directory in the form of C2SP tlog-tiles, or goes on with one that is there:
 * also after it was interrupted. The checkpoint comes last, when all that it speaks of is there and
 * leads to its root.
 * @throws AegisError `conflict` / `audit.export` the directory holds another log · `unavailable` /
 * `audit.forked` the log does not go on from what was exported before
 */
export async function exportLog(options: ExportLogOptions): Promise<ExportOutcome> {
  const { log, directory, from = 0, onProgress, signal } = options
  const key = await log.key()
  const noteKey = parseVerifierKey(key, auditCrypto.sha256)
  const open = (note: string) => openCheckpoint(note, noteKey, auditCrypto.verify)
  refuseOther(directory, key)
  const old = readOld(directory, open)
  const note = await log.checkpoint()
  const checkpoint = open(note)
  if (checkpoint.size < (old?.size ?? 0)) throw forked(directory)
  mkdirSync(directory, { recursive: true })
  await put(join(directory, 'audit.pub'), `${key}\n`)

  const write = async (path: string, isFull: boolean): Promise<boolean> => {
    signal.throwIfAborted()
    const file = join(directory, path)
    if (isFull && existsSync(file)) return true
    const bytes = await patiently(() => log.tile(path), signal)
    if (bytes === undefined) return false
    await put(file, bytes)
    if (isFull) rmSync(`${file}.p`, { recursive: true, force: true })
    else forgetNarrower(file)
    return true
  }

  const begun = old?.size ?? 0
  for (const tile of tilesBetween(begun, checkpoint.size)) {
    const path = tilePath({ kind: 'hashes', ...tile })
    if (!(await write(path, tile.width === tileWidth))) throw forked(directory)
  }
  let dropped = 0
  const firstBundle = Math.floor((begun === 0 ? from : Math.max(begun, from)) / tileWidth)
  for (let index = firstBundle; index * tileWidth < checkpoint.size; index += 1) {
    const width = Math.min(tileWidth, checkpoint.size - index * tileWidth)
    const wasWritten = await write(entriesPath(index, width), width === tileWidth)
    if (!wasWritten) dropped += width
    onProgress({ checked: index * tileWidth + width, size: checkpoint.size })
  }
  await refuseFork(directory, [...(old === undefined ? [] : [old]), checkpoint])
  await put(join(directory, 'checkpoint'), note)
  return { size: checkpoint.size, before: begun, dropped, key }
}

/** What was written must lead to what is signed, and begin with what was exported before. */
async function refuseFork(directory: string, signed: readonly Checkpoint[]): Promise<void> {
  const size = signed.at(-1)?.size ?? 0
  for (const checkpoint of signed) {
    const root = await rootAt(merkleHash, exportSource(directory, size), checkpoint.size)
    if (root === undefined || !sameBytes(root, checkpoint.root)) throw forked(directory)
  }
}

function refuseOther(directory: string, key: string): void {
  const path = join(directory, 'audit.pub')
  if (existsSync(path)) {
    if (readFileSync(path, 'utf8').trim() === key) return
    throw other(`${directory} holds the export of another log`)
  }
  if (existsSync(directory) && readdirSync(directory).length > 0) {
    throw other(`${directory} is not empty, and holds no export of an audit`)
  }
}

function readOld(directory: string, open: (note: string) => Checkpoint): Checkpoint | undefined {
  const path = join(directory, 'checkpoint')
  return existsSync(path) ? open(readFileSync(path, 'utf8')) : undefined
}

/** Appears whole or not at all. */
async function put(file: string, content: Uint8Array | string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true })
  const fresh = `${file}.new`
  await writeFile(fresh, content)
  renameSync(fresh, file)
}

/** A partial tile makes the narrower ones before it superfluous. */
function forgetNarrower(file: string): void {
  for (const name of readdirSync(dirname(file))) {
    if (name !== basename(file) && /^\d+$/.test(name)) rmSync(join(dirname(file), name))
  }
}

const attempts = 60
const waitMs = 2_000

/** The bytes of a tile, waited for while the node wants fewer calls; undefined when it was dropped. */
async function patiently(
  read: () => Promise<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await read()
    } catch (error) {
      if (!(error instanceof AegisError)) throw error
      if (error.code === 'audit.dropped') return undefined
      if (error.code !== 'access.rate' || attempt === attempts) throw error
      await delay(waitMs, undefined, { signal })
    }
  }
}

const other = (why: string): AegisError =>
  new AegisError('conflict', 'audit.export', `${why}. Name another directory, or an empty one.`)

const forked = (directory: string): AegisError =>
  new AegisError(
    'unavailable',
    'audit.forked',
    `The log does not go on from what was exported to ${directory} before: keep that export, it shows that the log was changed. aegis audit verify says more.`,
  )
