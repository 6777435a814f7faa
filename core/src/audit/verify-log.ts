import { AegisError } from '../kernel/aegis-error.ts'
import { toBase64 } from '../kernel/base64.ts'
import type { AuditProgress, AuditReport } from './audit-report.ts'
import { checkBundle, type FoundBody } from './check-bundle.ts'
import type { Checkpoint } from './checkpoint.ts'
import { type FindingList, makeFindingList } from './finding-list.ts'
import { type MerkleHash, sameBytes } from './merkle-hash.ts'
import { makeStoredTree, type ReadTile, splitHashes } from './stored-tree.ts'
import { hashCount, type Tile, tileAt, tileWidth } from './tile.ts'
import { emptyHead, growTree, rootOf } from './tree-head.ts'

/** A log to look over, wherever it lies. */
export interface LogSource {
  readonly size: number
  /** @throws AegisError when it is not there, or not whole */
  readonly tile: ReadTile
  bundle(index: number, width: number): Promise<FoundBundle>
}

export interface FoundBundle {
  /** As many as were asked for, by their place; undefined where there is none. */
  readonly bodies: readonly (FoundBody | undefined)[]
  /** Where there are more: the indexes that those would have. */
  readonly surplus: readonly number[]
}

export interface VerifyLogOptions {
  readonly hash: MerkleHash
  readonly origin: string
  readonly source: LogSource
  /** Signed ones, whose signatures were checked, the smallest first: the tree must begin with each. */
  readonly checkpoints: readonly Checkpoint[]
  /** The one that is told in the report; absent: the last. */
  readonly current?: Checkpoint
  /** Bodies before this one are not asked for. Default 0. */
  readonly from?: number
  readonly findings?: FindingList
  readonly onProgress?: (progress: AuditProgress) => void
  /** Gives others their turn. */
  readonly pause: () => Promise<void>
  readonly signal: AbortSignal
}

/**
 * Looks a whole log over: every body against the hash of its leaf, every hash against the one above
 * it, and the root against what was signed. It says which entry is wrong; where an entry and its
 * hash were changed alike, only between which two.
 */
export async function verifyLog(options: VerifyLogOptions): Promise<AuditReport> {
  const { source, origin, checkpoints, from = 0, findings = makeFindingList() } = options
  const { size } = source
  const bundles = await verifyBundles(options, findings)
  await verifyLevels(options, findings)
  await verifyRoots(options, findings)
  const dropped = noteDropped(bundles, from, findings)
  const last = options.current ?? checkpoints.at(-1)
  return {
    origin,
    size,
    checked: bundles.checked,
    dropped,
    checkpoint: last && { size: last.size, root: toBase64(last.root) },
    unsigned: Math.max(0, size - (last?.size ?? 0)),
    isSound: findings.count === 0,
    findings: findings.all,
  }
}

interface Bundles {
  readonly checked: number
  /** How many entries from the first on have no body. */
  readonly goneBefore: number
  readonly droppedBefore: number
}

async function verifyBundles(
  { hash, source, from = 0, onProgress, pause, signal }: VerifyLogOptions,
  findings: FindingList,
): Promise<Bundles> {
  const { size } = source
  let checked = 0
  let goneBefore = 0
  let droppedBefore = 0
  for (let index = 0; index * tileWidth < size; index += 1) {
    signal.throwIfAborted()
    const first = index * tileWidth
    const width = Math.min(tileWidth, size - first)
    const leaves = await readLeaves(source, { level: 0, index, width }, findings)
    const { bodies, surplus } =
      first + width <= from ? { bodies: [], surplus: [] } : await source.bundle(index, width)
    const outcome = checkBundle(hash, findings, first, leaves, bodies)
    checked += outcome.checked
    droppedBefore = Math.max(droppedBefore, outcome.droppedBefore)
    for (const missing of outcome.missing) {
      if (missing === goneBefore) goneBefore += 1
      else findings.add({ code: 'missing', index: missing, message: `Entry ${missing} is gone.` })
    }
    for (const place of surplus) {
      const message = `At ${place} stands what is no entry of this log.`
      findings.add({ code: 'surplus', index: place, message })
    }
    onProgress?.({ checked: first + width, size })
    await pause()
  }
  return { checked, goneBefore, droppedBefore }
}

/** Bodies may be gone from the beginning where the log says that they were dropped. */
function noteDropped(
  { goneBefore, droppedBefore }: Bundles,
  from: number,
  findings: FindingList,
): number {
  const permitted = Math.max(droppedBefore, from)
  if (goneBefore > permitted) {
    findings.add({
      code: 'missing',
      index: permitted,
      through: goneBefore - 1,
      message: `Entries ${permitted} to ${goneBefore - 1} are gone, and the log does not say that they were dropped.`,
    })
  }
  return Math.min(goneBefore, permitted)
}

async function readLeaves(
  source: LogSource,
  tile: Tile,
  findings: FindingList,
): Promise<readonly (Uint8Array | undefined)[]> {
  try {
    return splitHashes(await source.tile(tile))
  } catch (error) {
    noteTile(tile, error, findings)
    return Array.from({ length: tile.width }, () => undefined)
  }
}

/** Each full tile against the hash that stands for it one level up. */
async function verifyLevels(
  { hash, source, pause, signal }: VerifyLogOptions,
  findings: FindingList,
): Promise<void> {
  const { size } = source
  for (let level = 0; hashCount(level + 1, size) > 0; level += 1) {
    const span = tileWidth ** (level + 1)
    for (let group = 0; group * tileWidth < hashCount(level + 1, size); group += 1) {
      signal.throwIfAborted()
      const above = tileAt(level + 1, group, size)
      if (above === undefined) continue
      const parents = await readLeavesAbove(source, above, findings)
      for (const [offset, parent] of parents.entries()) {
        const index = group * tileWidth + offset
        const tile = await source.tile({ level, index, width: tileWidth }).catch(() => undefined)
        if (tile === undefined) continue // That was said when it was read.
        const grown = growTree(hash, emptyHead, splitHashes(tile), () => undefined)
        if (sameBytes(rootOf(hash, grown), parent)) continue
        const [start, end] = [index * span, (index + 1) * span - 1]
        const message = `Between entry ${start} and entry ${end} something was changed together with its hashes.`
        findings.add({ code: 'hash-changed', index: start, through: end, message })
      }
      await pause()
    }
  }
}

async function readLeavesAbove(
  source: LogSource,
  tile: Tile,
  findings: FindingList,
): Promise<readonly Uint8Array[]> {
  try {
    return splitHashes(await source.tile(tile))
  } catch (error) {
    noteTile(tile, error, findings)
    return []
  }
}

/** The tree against all that was signed: the first that does not fit says where it went wrong. */
async function verifyRoots(
  { hash, source, checkpoints }: VerifyLogOptions,
  findings: FindingList,
): Promise<void> {
  const largest = checkpoints.at(-1)?.size ?? 0
  if (largest > source.size) {
    const message = `The log ends before entry ${source.size}, though ${largest} entries were signed.`
    findings.add({ code: 'truncated', index: source.size, through: largest - 1, message })
  }
  let good = 0
  for (const { size, root } of checkpoints.filter(({ size }) => size <= source.size)) {
    const found = await rootAt(hash, source, size)
    // What is missing was said when it was read.
    if (found === undefined) return
    if (sameBytes(found, root)) {
      good = size
      continue
    }
    const message = `Between entry ${good} and entry ${size - 1} the log is not what was signed.`
    findings.add({ code: 'root', index: good, through: Math.max(good, size - 1), message })
    return
  }
}

/** The root of the tree at a size; undefined where its hashes are not all there. */
export async function rootAt(
  hash: MerkleHash,
  source: Pick<LogSource, 'size' | 'tile'>,
  size: number,
): Promise<Uint8Array | undefined> {
  const tree = makeStoredTree(hash, source.size, source.tile)
  return tree.head(size).then(
    (head) => rootOf(hash, head),
    () => undefined,
  )
}

function noteTile({ level, index, width }: Tile, error: unknown, findings: FindingList): void {
  if (!(error instanceof AegisError)) throw error
  const span = tileWidth ** level
  const named = error.details.entry
  const first = typeof named === 'number' ? named : index * tileWidth * span
  const through = typeof named === 'number' ? undefined : (index * tileWidth + width) * span - 1
  const message = `A hash that covers entry ${first} is gone (level ${level}).`
  findings.add({ code: 'hash-missing', index: first, through, message })
}
