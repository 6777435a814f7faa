import { type KeptSecret, Secret } from '@aegis/core'
import { z } from 'zod'
import { seal, tagOf, unseal } from './sealed-box.ts'
import {
  entryContext,
  indexContext,
  type VaultEntry,
  type VaultFile,
  type VaultKey,
} from './vault-file.ts'

/** One secret of an opened vault. */
export interface VaultSecret {
  readonly entry: VaultEntry
  /** Absent: its entry is not the one that AEGIS wrote last. */
  readonly kept: KeptSecret | undefined
}

/** What a vault holds, once its data key is known. */
export interface VaultContent {
  readonly secrets: ReadonlyMap<string, VaultSecret>
  /** The tag of each value that AEGIS wrote, by the name of its secret. */
  readonly index: ReadonlyMap<string, string>
}

export const emptyContent: VaultContent = { secrets: new Map(), index: new Map() }

/** Decrypts a file; undefined where its index was not sealed with this key. */
export function readContent(dataKey: Buffer, file: VaultFile): VaultContent | undefined {
  const index = readIndex(dataKey, file)
  if (index === undefined) return undefined
  const secrets = new Map<string, VaultSecret>()
  for (const entry of file.secrets) {
    const isTwice = secrets.has(entry.name)
    const isLast = index.get(entry.name) === tagOf(Buffer.from(entry.value, 'base64'))
    const kept = isLast && !isTwice ? readEntry(dataKey, entry) : undefined
    secrets.set(entry.name, { entry, kept })
  }
  return { secrets, index }
}

/** The content with another secret, in place of what had its name. */
export function withSecret(content: VaultContent, dataKey: Buffer, kept: KeptSecret): VaultContent {
  const facts = {
    name: kept.name,
    agents: [...kept.agents],
    hosts: [...kept.hosts],
    places: [...kept.places],
    created_at: kept.createdAt,
    updated_at: kept.updatedAt,
  }
  const sealed = seal(dataKey, Buffer.from(kept.value.reveal()), entryContext(facts))
  const entry = { ...facts, value: sealed.toString('base64') }
  return {
    secrets: new Map([...content.secrets, [kept.name, { entry, kept }]]),
    index: new Map([...content.index, [kept.name, tagOf(sealed)]]),
  }
}

export function withoutSecret(content: VaultContent, name: string): VaultContent {
  const [secrets, index] = [new Map(content.secrets), new Map(content.index)]
  secrets.delete(name)
  index.delete(name)
  return { secrets, index }
}

/** The file that holds `content`. What is not intact stays so. */
export function writeContent(key: VaultKey, dataKey: Buffer, content: VaultContent): VaultFile {
  const index = Buffer.from(JSON.stringify([...content.index]))
  return {
    format: 'aegis-secrets/1',
    key,
    index: seal(dataKey, index, indexContext(key)).toString('base64'),
    secrets: [...content.secrets.values()]
      .map(({ entry }) => entry)
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  }
}

const indexSchema = z.array(z.tuple([z.string(), z.string()]))

function readIndex(dataKey: Buffer, { key, index }: VaultFile) {
  const plain = unseal(dataKey, Buffer.from(index, 'base64'), indexContext(key))
  return plain && new Map(indexSchema.parse(JSON.parse(plain.toString())))
}

function readEntry(dataKey: Buffer, entry: VaultEntry): KeptSecret | undefined {
  const { value, created_at: createdAt, updated_at: updatedAt, ...facts } = entry
  const plain = unseal(dataKey, Buffer.from(value, 'base64'), entryContext(entry))
  return plain && { ...facts, createdAt, updatedAt, value: new Secret(plain.toString()) }
}
