import { hkdfSync, randomBytes, scrypt } from 'node:crypto'
import { AegisError, formatKeySource, type KeySource } from '@aegis/core'
import { decodeKey, type KeyFiles } from './key-files.ts'
import { keyBytes } from './sealed-box.ts'
import type { ScryptCost, VaultKey } from './vault-file.ts'

/** A key that encrypts the data key of a vault, and how the vault's file describes it. */
export interface MasterKey {
  readonly key: Buffer
  readonly description: Omit<VaultKey, 'wrapped'>
}

export interface FreshKey extends MasterKey {
  /** Call it once what the key encrypts is on the disk: the key takes its place. Repeatable. */
  settle(): Promise<void>
}

export interface VaultKeys {
  /**
   * The key that encrypted a file, from its source. A change of the key that was cut off is brought
   * to its end.
   * @throws AegisError `denied` / `secret.key-absent`, `secret.key-wrong`, `secret.key-malformed`,
   * `secret.key-readable`, `secret.key-owner`
   */
  find(source: KeySource, described: VaultKey): Promise<MasterKey>
  /** A key to begin with: the one that is there already, else a new one. @throws as `find` */
  first(source: KeySource): Promise<FreshKey>
  /** A key for what is encrypted from now on; of a file a new one. @throws as `find` */
  make(source: KeySource): Promise<FreshKey>
}

export interface VaultKeysOptions {
  readonly files: KeyFiles
  readonly variable: (name: string) => string | undefined
  /** Of passphrases; a power of two. */
  readonly scryptCost: { readonly n: number; readonly r: number; readonly p: number }
}

const shortestPassphrase = 12
const scryptMemoryBytes = 1024 ** 3

export function makeVaultKeys({ files, variable, scryptCost }: VaultKeysOptions): VaultKeys {
  const textOf = (name: string): string => {
    const value = variable(name)
    if (value) return value
    throw refused(
      'absent',
      `The variable ${name}, which is to hold the key of secrets, is not set for the node. Set it, or name another source in spec.security.secrets.key.`,
    )
  }

  const fromVariable = (name: string): Buffer => {
    const key = decodeKey(textOf(name))
    if (key !== undefined) return key
    throw refused(
      'malformed',
      `The variable ${name} holds no key of 32 bytes in base64. Make one with: openssl rand -base64 32`,
    )
  }

  const fromPassphrase = (name: string, cost: ScryptCost): Promise<Buffer> => {
    const passphrase = textOf(name)
    if ([...passphrase].length >= shortestPassphrase) return derive(passphrase, cost)
    throw refused(
      'malformed',
      `The passphrase in ${name} is shorter than ${shortestPassphrase} characters. Use a longer one.`,
    )
  }

  /** The key of the file that is the right one: after a cut it may be the next. */
  const fromFiles = async (id: string): Promise<Buffer> => {
    const current = await files.current()
    if (current !== undefined && idOf(current) === id) return current
    const next = await files.next()
    if (next !== undefined && idOf(next) === id) {
      await files.promote()
      return next
    }
    if (current !== undefined) throw wrong({ kind: 'file' })
    throw refused(
      'absent',
      'There are secrets, but the file keys/secrets.key that encrypts them is gone. Put back a copy of it; without one, remove secrets.json and set the secrets again.',
    )
  }

  const make = async (source: KeySource): Promise<FreshKey> => {
    const { kind } = source
    if (kind === 'file') {
      const key = await files.prepare()
      return { key, description: { kind, id: idOf(key) }, settle: files.promote }
    }
    // A key in a file is of no more use then, but to who has an old copy of the vault.
    const settle = files.forget
    if (kind === 'env') {
      const key = fromVariable(source.variable)
      return { key, description: { kind, id: idOf(key) }, settle }
    }
    const cost = { ...scryptCost, salt: randomBytes(16).toString('base64') }
    const key = await fromPassphrase(source.variable, cost)
    return { key, description: { kind, id: idOf(key), scrypt: cost }, settle }
  }

  return {
    async find(source, { wrapped: _, ...description }) {
      const { kind, id, scrypt: cost } = description
      if (kind !== source.kind || (kind === 'passphrase') !== (cost !== undefined)) {
        throw otherKind(source, kind)
      }
      const key =
        source.kind === 'file'
          ? await fromFiles(id)
          : source.kind === 'env'
            ? fromVariable(source.variable)
            : await fromPassphrase(source.variable, cost ?? { ...scryptCost, salt: '' })
      if (idOf(key) !== id) throw wrong(source)
      return { key, description }
    },

    async first(source) {
      const key = source.kind === 'file' ? await files.current() : undefined
      if (key === undefined) return make(source)
      return { key, description: { kind: 'file', id: idOf(key) }, settle: async () => undefined }
    },

    make,
  }
}

const idOf = (key: Buffer): string =>
  Buffer.from(hkdfSync('sha256', key, '', 'aegis secrets key id', 8)).toString('hex')

function derive(passphrase: string, { n, r, p, salt }: ScryptCost): Promise<Buffer> {
  const options = { N: n, r, p, maxmem: scryptMemoryBytes }
  return new Promise((resolve, reject) =>
    scrypt(passphrase, Buffer.from(salt, 'base64'), keyBytes, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    ),
  )
}

const wrong = (source: KeySource): AegisError =>
  refused(
    'wrong',
    `The secrets are encrypted with another key than that of ${formatKeySource(source)}. Give the node the key that they were encrypted with; to change it, use aegis secret rotate.`,
  )

function otherKind(source: KeySource, kind: VaultKey['kind']): AegisError {
  const form = { file: 'file', env: 'env:NAME', passphrase: 'passphrase:env:NAME' }[kind]
  return refused(
    'wrong',
    `The secrets are encrypted with a key of the form ${form}, but spec.security.secrets.key says ${formatKeySource(source)}. Write the former there; to change it, use aegis secret rotate --key.`,
  )
}

const refused = (what: string, message: string): AegisError =>
  new AegisError('denied', `secret.key-${what}`, message)
