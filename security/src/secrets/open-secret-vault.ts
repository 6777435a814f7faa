import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import {
  AegisError,
  formatKeySource,
  type KeptSecret,
  type KeySource,
  type SecretKeeper,
  type SecretSummary,
  usableBy,
} from '@aegis/core'
import { makeKeyFiles } from './key-files.ts'
import { keyBytes, seal, unseal } from './sealed-box.ts'
import {
  emptyContent,
  readContent,
  type VaultContent,
  withoutSecret,
  withSecret,
  writeContent,
} from './vault-content.ts'
import { type VaultDisk, vaultDisk } from './vault-disk.ts'
import {
  formatVaultFile,
  keyContext,
  maxSecrets,
  maxVaultBytes,
  parseVaultFile,
  scryptCost,
  type VaultKey,
} from './vault-file.ts'
import { type FreshKey, type MasterKey, makeVaultKeys } from './vault-keys.ts'

export interface SecretVaultOptions {
  /** The file that holds the secrets. Made with the first one. */
  readonly path: string
  /** Where the key is when its source is `file`. Made with the first secret. */
  readonly keyPath: string
  readonly key: KeySource
  readonly variable: (name: string) => string | undefined
  readonly disk?: VaultDisk
  readonly scryptCost?: { readonly n: number; readonly r: number; readonly p: number }
}

export interface OpenedVault extends SecretKeeper {
  /** Why nobody can use any secret, where that is so: what each method throws. */
  readonly fault: AegisError | undefined
}

/** The parts of a vault that has secrets, or had some. */
interface Unlocked {
  readonly key: VaultKey
  readonly dataKey: Buffer
  readonly content: VaultContent
}

/**
 * Opens the secrets of a node. They stay in memory; one process at a time may do so. What is wrong
 * with the file or its key is told by each use, so that the rest of the node works without.
 */
export async function openSecretVault(options: SecretVaultOptions): Promise<OpenedVault> {
  const { path, disk = vaultDisk } = options
  const keys = makeVaultKeys({
    files: makeKeyFiles(options.keyPath, disk),
    variable: options.variable,
    scryptCost: options.scryptCost ?? scryptCost,
  })
  let source = options.key
  let fault: AegisError | undefined
  let unlocked: Unlocked | undefined
  try {
    unlocked = await unlock(source)
  } catch (error) {
    if (!(error instanceof AegisError)) throw error
    fault = error
  }
  /** Where the key comes from if the last change of it came further than was known. */
  let maybeSource = source
  let isUnsure = false
  let last: Promise<unknown> = Promise.resolve()

  async function unlock(from: KeySource): Promise<Unlocked | undefined> {
    const text = await readVault(path, disk)
    if (text === undefined) return undefined
    const file = parseVaultFile(text)
    if (file === undefined) throw altered(`${path} is not as AEGIS wrote it`)
    const master = await keys.find(from, file.key)
    const wrapped = Buffer.from(file.key.wrapped, 'base64')
    const dataKey = unseal(master.key, wrapped, keyContext(master.description))
    const content = dataKey && readContent(dataKey, file)
    if (dataKey === undefined || content === undefined)
      throw altered(`Something else than AEGIS changed ${path}`)
    return { key: file.key, dataKey, content }
  }

  async function save(next: Unlocked): Promise<void> {
    const file = writeContent(next.key, next.dataKey, next.content)
    const fresh = `${path}.new`
    await disk.write(fresh, formatVaultFile(file))
    await disk.rename(fresh, path)
    await disk.settle(dirname(path))
    unlocked = next
  }

  /**
   * One after the other: each starts from what the one before left. Where that failed, nobody knows
   * how much of it is on the disk, so that the disk is asked.
   */
  function alone<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = last.then(async () => {
      if (fault !== undefined) throw fault
      if (isUnsure) await reopen()
      isUnsure = true
      const done = await change()
      isUnsure = false
      return done
    })
    last = result.catch(() => undefined)
    return result
  }

  async function reopen(): Promise<void> {
    try {
      unlocked = await unlock(source)
    } catch (error) {
      unlocked = await unlock(maybeSource).catch(() => {
        throw error
      })
      source = maybeSource
    }
  }

  /**
   * First the new key, then what it encrypts, then the key in the place of the old one: whatever cuts
   * this off, the key that the file names is there.
   */
  async function encrypt(master: FreshKey, secrets: readonly KeptSecret[]): Promise<void> {
    const dataKey = randomBytes(keyBytes)
    const content = secrets.reduce<VaultContent>(
      (before, kept) => withSecret(before, dataKey, kept),
      emptyContent,
    )
    await save({ key: wrap(master, dataKey), dataKey, content })
    await master.settle()
  }

  return {
    get fault() {
      return fault
    },

    open(agentName, secretName) {
      if (fault !== undefined) throw fault
      const content = unlocked?.content
      if (!content?.secrets.has(secretName) && !content?.index.has(secretName)) return undefined
      const kept = content.secrets.get(secretName)?.kept
      if (kept === undefined) throw alteredSecret([secretName])
      return usableBy(agentName, kept)
    },

    list() {
      if (fault !== undefined) throw fault
      return unlocked === undefined ? [] : summariesOf(unlocked.content)
    },

    put: (kept) =>
      alone(async () => {
        const content = unlocked?.content ?? emptyContent
        if (content.secrets.size >= maxSecrets && !content.secrets.has(kept.name)) throw full()
        if (unlocked === undefined) await encrypt(await keys.first(source), [kept])
        else await save({ ...unlocked, content: withSecret(content, unlocked.dataKey, kept) })
      }),

    remove: (name) =>
      alone(async () => {
        if (unlocked === undefined) return false
        const { content } = unlocked
        if (!content.secrets.has(name) && !content.index.has(name)) return false
        await save({ ...unlocked, content: withoutSecret(content, name) })
        return true
      }),

    rotate: (asked) =>
      alone(async () => {
        const content = unlocked?.content ?? emptyContent
        const damaged = summariesOf(content).filter(({ state }) => state !== 'intact')
        if (damaged.length > 0) throw alteredSecret(damaged.map(({ name }) => name))
        const before = source
        maybeSource = asked ?? before
        await encrypt(await keys.make(maybeSource), intactOf(content))
        source = maybeSource
        const key = formatKeySource(source)
        return {
          secrets: content.secrets.size,
          key,
          isKeyNew: source.kind === 'file' || key !== formatKeySource(before),
          isConfigured: key === formatKeySource(options.key),
        }
      }),
  }
}

const intactOf = ({ secrets }: VaultContent): readonly KeptSecret[] =>
  [...secrets.values()].flatMap(({ kept }) => kept ?? [])

function wrap({ key, description }: MasterKey, dataKey: Buffer): VaultKey {
  const wrapped = seal(key, dataKey, keyContext(description)).toString('base64')
  return { ...description, wrapped }
}

async function readVault(path: string, disk: VaultDisk): Promise<string | undefined> {
  try {
    return (await disk.read(path, maxVaultBytes))?.text
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `The secrets in ${path} cannot be read: ${reason}`
    throw new AegisError('denied', 'secret.unreadable', message, { cause })
  }
}

function summariesOf({ secrets, index }: VaultContent): readonly SecretSummary[] {
  const there = [...secrets.values()].map(({ entry, kept }): SecretSummary => {
    const { created_at: createdAt, updated_at: updatedAt, value: _, ...facts } = entry
    return { ...facts, createdAt, updatedAt, state: kept === undefined ? 'altered' : 'intact' }
  })
  const missing = [...index.keys()]
    .filter((name) => !secrets.has(name))
    .map((name): SecretSummary => ({ ...nothingKnown, name, state: 'missing' }))
  return [...there, ...missing].sort((one, other) => (one.name < other.name ? -1 : 1))
}

const nothingKnown = { agents: [], hosts: [], places: [], createdAt: '', updatedAt: '' }

const altered = (what: string): AegisError =>
  new AegisError(
    'denied',
    'secret.altered',
    `${what}, so nobody may use its secrets. Put back a copy of it; without one, remove it and set the secrets again.`,
  )

function alteredSecret(names: readonly string[]): AegisError {
  const listed = names.map((name) => `"${name}"`).join(', ')
  const message = `Something else than AEGIS changed the secret ${listed} on the disk, so nobody may use it. Give it its value again (aegis secret set), or remove it (aegis secret remove).`
  return new AegisError('denied', 'secret.altered', message, { details: { names } })
}

const full = (): AegisError =>
  new AegisError(
    'exhausted',
    'secret.limit',
    `There are ${maxSecrets} secrets, the most that a node keeps. Remove one first: aegis secret remove <name>`,
  )
