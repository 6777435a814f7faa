import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, unlink } from 'node:fs/promises'
import { AegisError, type Authenticate, localActor, Secret } from '@aegis/core'

export interface ApiToken {
  /** For a client on the same machine that may read the file. */
  readonly token: Secret
  readonly authenticate: Authenticate
}

/** 256 bits: guessing is hopeless, however many tries the API allows. */
const tokenBytes = 32
const maxFileBytes = 4_096

/**
 * The token that opens a node's API, kept in a file that only its owner may read. The file is made
 * when there is none; of several processes that do so at once, all end up with the same token. The
 * directory must exist.
 * @throws AegisError `denied` / `token.readable` others may read it · `denied` / `token.owner` it
 * belongs to another user · `invalid` / `token.malformed` it holds no token
 */
export async function openApiToken(path: string): Promise<ApiToken> {
  const token = (await readToken(path)) ?? (await createToken(path))
  const expected = digest(token.reveal())
  return {
    token,
    // Comparing digests takes equally long whatever the length and the first difference.
    authenticate: async (given) =>
      timingSafeEqual(digest(given), expected) ? { actor: localActor } : { refused: 'unknown' },
  }
}

/**
 * Reads the token that a node made, without making one.
 * @throws AegisError as `openApiToken` · `not-found` / `token.absent`
 */
export async function readApiToken(path: string): Promise<Secret> {
  const token = await readToken(path)
  if (token !== undefined) return token
  throw new AegisError(
    'not-found',
    'token.absent',
    `There is no API token at ${path}. A node makes it when it starts: aegis daemon start`,
  )
}

async function readToken(path: string): Promise<Secret | undefined> {
  let file: FileHandle
  try {
    // Not through a link: what is checked must be what is read.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    if (hasCode(error, 'ELOOP')) {
      throw malformed(path, 'is a symbolic link')
    }
    if (hasCode(error, 'EACCES')) {
      throw new AegisError(
        'denied',
        'token.owner',
        `You may not read the API token at ${path}. Run the command as the user who runs the node.`,
        { cause: error },
      )
    }
    throw error
  }
  try {
    await refuseForeign(path, file)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxFileBytes), 0, maxFileBytes, 0)
    const text = buffer.toString('utf8', 0, bytesRead).trim()
    if (!/^[\x21-\x7e]{32,1024}$/.test(text)) throw malformed(path, 'holds no token')
    return new Secret(text)
  } finally {
    await file.close()
  }
}

async function refuseForeign(path: string, file: FileHandle): Promise<void> {
  const stat = await file.stat()
  if (!stat.isFile()) throw malformed(path, 'is not a regular file')
  const uid = process.getuid?.()
  if (uid === undefined) return // Windows has no such permissions.
  if (stat.uid !== uid && uid !== 0) {
    throw new AegisError(
      'denied',
      'token.owner',
      `The API token at ${path} belongs to another user (uid ${stat.uid}), who could exchange it. Remove the file to get a new one.`,
    )
  }
  if ((stat.mode & 0o077) !== 0) {
    throw new AegisError(
      'denied',
      'token.readable',
      `Other users may read the API token at ${path} (mode ${(stat.mode & 0o777).toString(8)}). If nobody has, run: chmod 600 ${path}. Otherwise remove the file, and the node makes a new token when it starts.`,
    )
  }
}

async function createToken(path: string): Promise<Secret> {
  const fresh = `${path}.${randomBytes(8).toString('hex')}`
  const text = randomBytes(tokenBytes).toString('base64url')
  const file = await open(fresh, 'wx', 0o600)
  try {
    try {
      await file.writeFile(`${text}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    // Appears whole or not at all, and never in place of another process's token.
    await link(fresh, path)
    return new Secret(text)
  } catch (error) {
    const theirs = hasCode(error, 'EEXIST') ? await readToken(path) : undefined
    if (theirs !== undefined) return theirs
    throw error
  } finally {
    await unlink(fresh)
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const malformed = (path: string, why: string): AegisError =>
  new AegisError(
    'invalid',
    'token.malformed',
    `${path} ${why}. Remove it, and the node makes a new API token when it starts.`,
  )

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code
