import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { AegisError } from '@aegis/core'
import { keyBytes } from './sealed-box.ts'
import type { VaultDisk } from './vault-disk.ts'

/**
 * A key in a file that only its owner may read. Beside it, while the key is changed, stands the next
 * one: the file that it protects says by the key's id which of the two is true.
 */
export interface KeyFiles {
  /** @throws AegisError `denied` / `secret.key-readable`, `secret.key-owner`, `secret.key-malformed` */
  current(): Promise<Buffer | undefined>
  next(): Promise<Buffer | undefined>
  /** Makes a next key. On the disk once it resolves. */
  prepare(): Promise<Buffer>
  /** The next key becomes the current one. Repeatable. */
  promote(): Promise<void>
  /** Removes both. */
  forget(): Promise<void>
}

const maxKeyFileBytes = 4_096

export function makeKeyFiles(path: string, disk: VaultDisk): KeyFiles {
  const nextPath = `${path}.next`
  return {
    current: () => readKey(path, disk),
    next: () => readKey(nextPath, disk),
    async prepare() {
      const key = randomBytes(keyBytes)
      await disk.write(nextPath, `${key.toString('base64')}\n`)
      await disk.settle(dirname(path))
      await disk.settle(dirname(dirname(path))) // The folder may be new.
      return key
    },
    async promote() {
      const isLeft = (await disk.read(nextPath, maxKeyFileBytes)) !== undefined
      if (isLeft) await disk.rename(nextPath, path)
      await disk.settle(dirname(path))
    },
    async forget() {
      await disk.remove(nextPath)
      await disk.remove(path)
    },
  }
}

async function readKey(path: string, disk: VaultDisk): Promise<Buffer | undefined> {
  const file = await disk.read(path, maxKeyFileBytes).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw refused('malformed', `The key of secrets at ${path} cannot be read: ${reason}`, cause)
  })
  if (file === undefined) return undefined
  const uid = process.getuid?.()
  if (uid !== undefined && uid !== 0 && file.uid !== uid) {
    throw refused(
      'owner',
      `The key of secrets at ${path} belongs to another user (uid ${file.uid}), who could exchange it. Give it back to the user of the node: chown ${uid} ${path}.`,
    )
  }
  if (uid !== undefined && (file.mode & 0o077) !== 0) {
    throw refused(
      'readable',
      `Other users may read the key of secrets at ${path} (mode ${file.mode.toString(8)}). Run chmod 600 ${path}; if somebody may have read it, then aegis secret rotate, and replace the secrets.`,
    )
  }
  const key = decodeKey(file.text.trim())
  if (key !== undefined) return key
  throw refused(
    'malformed',
    `${path} holds no key: 32 bytes in base64 are expected. Put back a copy of it.`,
  )
}

/** 32 bytes in base64; undefined for anything else. */
export function decodeKey(text: string): Buffer | undefined {
  const key = Buffer.from(text, 'base64')
  return key.length === keyBytes && key.toString('base64') === text ? key : undefined
}

const refused = (what: string, message: string, cause?: unknown): AegisError =>
  new AegisError('denied', `secret.key-${what}`, message, { cause })
