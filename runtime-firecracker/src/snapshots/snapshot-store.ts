import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError, type AgentId, agentId, type SnapshotSubject } from '@aegis/core'
import type { QuietGuest } from '@aegis/sandbox'
import { falseIfAbsent, noneIfAbsent } from '../absence.ts'
import { traceOf } from '../file-trace.ts'
import { digestFile } from './file-digest.ts'
import {
  differences,
  type SnapshotFacts,
  type SnapshotRecord,
  sealRecord,
  snapshotFiles,
  unsealRecord,
} from './snapshot-record.ts'

export interface SnapshotStoreOptions {
  /** Ours alone; made when missing. On the file system of the machines' disks. */
  readonly directory: string
  /** 32 bytes that nobody else knows. Whoever knows them can make snapshots that are believed. */
  readonly key: () => Promise<Uint8Array>
  /** Most snapshots that are kept, of all agents; those not used for longest go first. */
  readonly most: number
}

type Version = Pick<SnapshotSubject, 'agentId' | 'agentRevision'>

/** A snapshot that was found to be as it was made. Its files stay until it is disposed. */
export interface KeptSnapshot extends AsyncDisposable {
  readonly guest: QuietGuest
  readonly statePath: string
  readonly memoryPath: string
  readonly archivePath: string
}

/**
 * Snapshots on the disk: `<directory>/<agent>.<revision>/` with three files, a record of them, and the seal
 * of the record. A snapshot appears whole and by one rename. One process at a time owns a store.
 */
export interface SnapshotStore {
  has(version: Version): Promise<boolean>
  /** An empty directory for making one; disposing removes what is left of it. */
  workshop(): Promise<{ readonly directory: string } & AsyncDisposable>
  /** Takes the files over from the workshop, seals them, and forgets earlier revisions of the agent. */
  add(
    directory: string,
    about: Version & { readonly facts: SnapshotFacts; readonly guest: QuietGuest },
    signal: AbortSignal,
  ): Promise<void>
  /**
   * Undefined when there is none. One that is refused is removed.
   * @throws AegisError `denied` / `snapshot.altered`, `snapshot.version`
   */
  open(
    version: Version,
    facts: SnapshotFacts,
    signal: AbortSignal,
  ): Promise<KeptSnapshot | undefined>
  /** Quietly fine when it is gone. */
  remove(version: Version): Promise<void>
  retain(isWanted: (agentId: AgentId, agentRevision: number) => boolean): Promise<void>
  /** Removes what a dead owner left half-made; tells what. */
  sweep(): Promise<readonly string[]>
}

/** A file as it was when it was last hashed. */
type Trace = Readonly<Record<(typeof snapshotFiles)[number], string>>

const maxRecordBytes = 256 << 10
const entryPattern = /^([0-9a-z-]{1,64})\.([1-9]\d{0,9})$/

export function openSnapshotStore(options: SnapshotStoreOptions): SnapshotStore {
  const { directory, key, most } = options
  const traces = new Map<string, Trace>()
  const uses = new Map<string, number>()
  const doomed = new Set<string>()
  const workshops = new Set<string>()

  const nameOf = ({ agentId, agentRevision }: Version) => `${agentId}.${agentRevision}`
  const at = (name: string) => join(directory, name)
  const names = async () =>
    (await readdir(directory).catch(noneIfAbsent)).filter((name) => entryPattern.test(name))

  const discard = async (name: string): Promise<void> => {
    // Whoever restores it now still opens its files; whoever comes later finds none.
    if ((uses.get(name) ?? 0) > 0) {
      doomed.add(name)
      return
    }
    doomed.delete(name)
    traces.delete(name)
    const hidden = at(`.gone-${randomUUID()}`)
    const moved = await rename(at(name), hidden).then(() => true, falseIfAbsent)
    if (moved) await rm(hidden, { recursive: true, force: true })
  }

  const hold = (name: string): AsyncDisposable => {
    uses.set(name, (uses.get(name) ?? 0) + 1)
    return {
      async [Symbol.asyncDispose]() {
        const left = (uses.get(name) ?? 1) - 1
        if (left > 0) uses.set(name, left)
        else uses.delete(name)
        if (left === 0 && doomed.has(name)) await discard(name)
      },
    }
  }

  const refuse = async (name: string, code: 'altered' | 'version', why: string): Promise<never> => {
    await discard(name)
    throw new AegisError(
      'denied',
      `snapshot.${code}`,
      `The snapshot ${name} ${why}. It was removed; the next one is made anew`,
    )
  }

  /** Hashes the files unless they were seen to be right before, and nobody has touched them since. */
  const isWhole = async (name: string, { files }: SnapshotRecord, signal: AbortSignal) => {
    const trace = await tracesOf(at(name)).catch(() => undefined)
    if (trace === undefined) return false
    const known = traces.get(name)
    if (known !== undefined && snapshotFiles.every((file) => known[file] === trace[file]))
      return true
    for (const file of snapshotFiles)
      if ((await digestFile(join(at(name), file), signal)) !== files[file]) return false
    traces.set(name, trace)
    return true
  }

  const thin = async (): Promise<void> => {
    const all = await Promise.all(
      (await names()).map(async (name) => ({
        name,
        usedMs: await stat(at(name)).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      })),
    )
    all.sort((one, other) => other.usedMs - one.usedMs)
    for (const { name } of all.slice(most)) await discard(name)
  }

  const retain: SnapshotStore['retain'] = async (isWanted) => {
    for (const name of await names()) {
      const [, id = '', revision] = entryPattern.exec(name) ?? []
      if (!isWanted(agentId(id), Number(revision))) await discard(name)
    }
  }

  return {
    async has(version) {
      const name = nameOf(version)
      return !doomed.has(name) && (await names()).includes(name)
    },
    async workshop() {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const name = `.part-${randomUUID()}`
      workshops.add(name)
      await mkdir(at(name), { mode: 0o700 })
      return {
        directory: at(name),
        async [Symbol.asyncDispose]() {
          await rm(at(name), { recursive: true, force: true })
          workshops.delete(name)
        },
      }
    },
    async add(part, { agentId, agentRevision, facts, guest }, signal) {
      const digests = { state: '', memory: '', 'scratch.tar': '' }
      for (const file of snapshotFiles) digests[file] = await digestFile(join(part, file), signal)
      const record: SnapshotRecord = {
        format: 1,
        agentId,
        agentRevision,
        facts,
        guest: { ...guest },
        files: digests,
        madeAt: new Date().toISOString(),
      }
      const { text, seal } = sealRecord(record, await key())
      await writeWhole(join(part, 'record.json'), text)
      await writeWhole(join(part, 'seal'), `${seal}\n`)
      const name = nameOf({ agentId, agentRevision })
      await discard(name)
      if (doomed.has(name)) throw inUse(name)
      await rename(part, at(name))
      traces.set(name, await tracesOf(at(name)))
      await retain((id, revision) => id !== agentId || revision >= agentRevision)
      await thin()
    },
    async open(version, facts, signal) {
      const name = nameOf(version)
      if (doomed.has(name) || !(await names()).includes(name)) return undefined
      await using holding = new AsyncDisposableStack()
      holding.use(hold(name))
      const sealed = {
        text: await readBounded(join(at(name), 'record.json')),
        seal: await readBounded(join(at(name), 'seal')),
      }
      const record = unsealRecord(sealed, await key())
      const isSame =
        record?.agentId === version.agentId && record.agentRevision === version.agentRevision
      if (record === undefined || !isSame)
        return await refuse(name, 'altered', 'does not carry the seal of this node')
      const changed = differences(record.facts, facts)
      if (changed.length > 0)
        return await refuse(
          name,
          'version',
          `is of another version: ${tellChanges(changed, record.facts, facts)}`,
        )
      if (!(await isWhole(name, record, signal)))
        return await refuse(name, 'altered', 'is not as it was made: its files were changed')
      const now = new Date()
      await utimes(at(name), now, now)
      const { standby } = record.guest
      const held = holding.move()
      return {
        guest: standby === undefined ? {} : { standby },
        statePath: join(at(name), 'state'),
        memoryPath: join(at(name), 'memory'),
        archivePath: join(at(name), 'scratch.tar'),
        [Symbol.asyncDispose]: () => held.disposeAsync(),
      }
    },
    remove: (version) => discard(nameOf(version)),
    retain,
    async sweep() {
      const left = (await readdir(directory).catch(noneIfAbsent)).filter(
        (name) => /^\.(part|gone)-/.test(name) && !workshops.has(name),
      )
      for (const name of left) await rm(at(name), { recursive: true, force: true })
      return left.map((name) => `half a snapshot ${at(name)}`)
    },
  }
}

const inUse = (name: string): AegisError =>
  new AegisError(
    'conflict',
    'snapshot.used',
    `The snapshot ${name} is being restored and cannot be replaced now`,
  )

const tellChanges = (names: readonly string[], kept: SnapshotFacts, now: SnapshotFacts): string =>
  names
    .map((name) => `${name} was ${kept[name] ?? 'none'} and is ${now[name] ?? 'none'}`)
    .join('; ')

async function tracesOf(directory: string): Promise<Trace> {
  const trace = { state: '', memory: '', 'scratch.tar': '' }
  for (const file of snapshotFiles) trace[file] = await traceOf(join(directory, file))
  return trace
}

async function readBounded(path: string): Promise<string> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  return size > maxRecordBytes ? '' : readFile(path, 'utf8').catch(() => '')
}

async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o400)
  await file.writeFile(text)
  await file.sync()
}
