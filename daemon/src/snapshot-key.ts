import { randomBytes } from 'node:crypto'
import { link, lstat, mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AegisError } from '@aegis/core'

const keyBytes = 32

/**
 * The key that seals the snapshots of a node, made when it is missing: those that were sealed with another one are
 * refused.
 * @throws AegisError `denied` / `snapshot.key` others may read it, or it is none
 */
export async function readSnapshotKey(path: string): Promise<Uint8Array> {
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) await makeKey(path)
  else if (!found.isFile() || (found.mode & 0o077) !== 0) throw unsafe(path)
  const key = Buffer.from((await readFile(path, 'utf8')).trim(), 'base64')
  if (key.length !== keyBytes) throw unsafe(path)
  return key
}

/** Appears whole, and never in place of one that another process has made meanwhile. */
async function makeKey(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  try {
    const text = `${randomBytes(keyBytes).toString('base64')}\n`
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx', flush: true })
    await link(fresh, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await unlink(fresh).catch(() => undefined)
  }
}

const unsafe = (path: string): AegisError =>
  new AegisError(
    'denied',
    'snapshot.key',
    `${path} is no key that only this node can read: snapshots are not made or used. Remove it; the next one is made, and the snapshots with it`,
  )
