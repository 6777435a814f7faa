import { secretPlaces } from '@aegis/core'
import { z } from 'zod'

/** Secrets of one vault. */
export const maxSecrets = 1_000
/** Room for all of them at their longest. */
export const maxVaultBytes = 128 * 1024 * 1024

/** How hard it is to try a passphrase: 128 MiB and some tenths of a second for each. */
export const scryptCost = { n: 2 ** 17, r: 8, p: 1 } as const

/** In the one spelling that bytes have. */
const base64 = (most: number) =>
  z
    .string()
    .max(most)
    .refine((text) => Buffer.from(text, 'base64').toString('base64') === text)

const text = z.string().max(1024)

/**
 * The cost is bounded, so that a file that somebody put in place can not eat all memory; another
 * cost than the true one gives another key.
 */
const scrypt = z.strictObject({
  n: z
    .int()
    .min(2 ** 15)
    .max(2 ** 18)
    .refine((n) => Number.isInteger(Math.log2(n))),
  r: z.int().min(8).max(16),
  p: z.int().min(1).max(4),
  salt: base64(64),
})

const key = z.strictObject({
  kind: z.enum(['file', 'env', 'passphrase']),
  /** Tells keys apart without telling what they are. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  scrypt: scrypt.optional(),
  /** The data key, sealed with the key that this describes. */
  wrapped: base64(128),
})

const entry = z.strictObject({
  name: text,
  agents: z.array(text).max(100),
  hosts: z.array(text).max(100),
  places: z.array(z.enum(secretPlaces)).max(10),
  created_at: text,
  updated_at: text,
  /** The value, sealed with the data key; its context is all of the above. */
  value: base64(128 * 1024),
})

const vaultFile = z.strictObject({
  format: z.literal('aegis-secrets/1'),
  key,
  /** Which entries there are, sealed with the data key. */
  index: base64(1024 * 1024),
  secrets: z.array(entry).max(maxSecrets),
})

/** The file as it stands on the disk. */
export type VaultFile = z.output<typeof vaultFile>
export type VaultKey = VaultFile['key']
export type ScryptCost = z.output<typeof scrypt>
export type VaultEntry = VaultFile['secrets'][number]

/**
 * Undefined for what this version does not write byte by byte as it stands there, so that no byte
 * can be changed unseen.
 */
export function parseVaultFile(source: string): VaultFile | undefined {
  const parsed = vaultFile.safeParse(parseJson(source))
  return parsed.success && formatVaultFile(parsed.data) === source ? parsed.data : undefined
}

export const formatVaultFile = (file: VaultFile): string => `${JSON.stringify(file, null, 2)}\n`

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    return undefined
  }
}

const format = 'aegis-secrets/1'

/** What the wrapped data key is bound to. */
export const keyContext = ({ kind, id, scrypt }: Omit<VaultKey, 'wrapped'>): string =>
  JSON.stringify([format, 'key', kind, id, scrypt ?? null])

/** What the sealed index is bound to. */
export const indexContext = (key: Pick<VaultKey, 'id'>): string =>
  JSON.stringify([format, 'index', key.id])

/** What a sealed value is bound to: nobody may use it as another, for others, or elsewhere. */
export const entryContext = (entry: Omit<VaultEntry, 'value'>): string => {
  const { name, agents, hosts, places, created_at, updated_at } = entry
  return JSON.stringify([format, 'secret', name, agents, hosts, places, created_at, updated_at])
}
