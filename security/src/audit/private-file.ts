import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AegisError, Secret } from '@aegis/core'

const maxFileBytes = 4_096

/**
 * The text of a file that only its owner may read; undefined where there is none.
 * @throws AegisError `denied` / `audit.key-readable`, `audit.key-owner` · `invalid` /
 * `audit.key-malformed`
 */
export async function readPrivateFile(path: string): Promise<Secret | undefined> {
  let file: FileHandle
  try {
    // Not through a link: what is checked must be what is read.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (hasCode(error, 'ELOOP')) throw notOurs('invalid', 'malformed', `${path} is a symbolic link`)
    if (hasCode(error, 'EACCES')) throw notOurs('denied', 'owner', `You may not read ${path}`)
    throw error
  }
  try {
    await refuseForeign(path, file)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxFileBytes), 0, maxFileBytes, 0)
    return new Secret(buffer.toString('utf8', 0, bytesRead))
  } finally {
    await file.close()
  }
}

/** Makes a file that only its owner may read; where another process was first, its text counts. */
export async function createPrivateFile(path: string, text: string): Promise<Secret> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  await writeWhole(fresh, 'wx', text, 0o600)
  try {
    // Appears whole or not at all, and never in place of what is there.
    await link(fresh, path)
    return new Secret(text)
  } catch (error) {
    const theirs = hasCode(error, 'EEXIST') ? await readPrivateFile(path) : undefined
    if (theirs !== undefined) return theirs
    throw error
  } finally {
    await unlink(fresh)
  }
}

/**
 * Puts a text in place of a file, whole or not at all, also when the power fails. One process at a
 * time: what a killed one left is overwritten, so that nothing gathers.
 */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.new`
  await writeWhole(fresh, 'w', text, mode)
  await rename(fresh, path)
}

async function writeWhole(path: string, flags: string, text: string, mode: number): Promise<void> {
  const file = await open(path, flags, mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function refuseForeign(path: string, file: FileHandle): Promise<void> {
  const stat = await file.stat()
  if (!stat.isFile()) throw notOurs('invalid', 'malformed', `${path} is not a regular file`)
  const uid = process.getuid?.()
  if (uid === undefined) return // Windows has no such permissions.
  if (stat.uid !== uid && uid !== 0) {
    throw notOurs('denied', 'owner', `${path} belongs to another user (uid ${stat.uid})`)
  }
  if ((stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8)
    throw notOurs(
      'denied',
      'readable',
      `Other users may read ${path} (mode ${mode}), and could sign in the name of this node. If nobody has, run: chmod 600 ${path}`,
    )
  }
}

const notOurs = (kind: 'denied' | 'invalid', word: string, why: string): AegisError =>
  new AegisError(
    kind,
    `audit.key-${word}`,
    `${why}. If somebody else may have used it, move it away: the node then makes a new key, which no old checkpoint fits.`,
  )

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
