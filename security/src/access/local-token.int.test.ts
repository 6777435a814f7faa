import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openApiToken, readApiToken } from './local-token.ts'

it('makes a token of 256 bits that only its owner may read', async () => {
  await using scene = await openScene()
  const { home, path } = scene
  const { token } = await openApiToken(path)
  expect(Buffer.from(token.reveal(), 'base64url')).toHaveLength(32)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(home)).toEqual(['api-token'])
})

it('keeps the token across restarts', async () => {
  await using scene = await openScene()
  const { path } = scene
  const first = await openApiToken(path)
  const second = await openApiToken(path)
  expect(second.token.reveal()).toBe(first.token.reveal())
  expect((await readApiToken(path)).reveal()).toBe(first.token.reveal())
})

it('gives one token to all who make it at once', async () => {
  await using scene = await openScene()
  const { home, path } = scene
  const opened = await Promise.all(Array.from({ length: 20 }, () => openApiToken(path)))
  expect(new Set(opened.map(({ token }) => token.reveal())).size).toBe(1)
  expect(await readdir(home)).toEqual(['api-token'])
})

it('lets in who has the token and nobody else', async () => {
  await using scene = await openScene()
  const { path } = scene
  const { token, authenticate } = await openApiToken(path)
  expect(await authenticate(token.reveal())).toEqual({ actor: { name: 'local', role: 'admin' } })
  await fc.assert(
    fc.asyncProperty(fc.string(), async (guess) => {
      expect(await authenticate(guess)).toEqual({ refused: 'unknown' })
    }),
  )
  expect(await authenticate(token.reveal().slice(0, -1))).toEqual({ refused: 'unknown' })
  expect(await authenticate(`${token.reveal()}\n`)).toEqual({ refused: 'unknown' })
})

it('does not print the token', async () => {
  await using scene = await openScene()
  const { path } = scene
  const opened = await openApiToken(path)
  expect(inspect(opened, { depth: 5 })).not.toContain(opened.token.reveal())
})

it.each([
  0o640, 0o604, 0o620, 0o666,
])('refuses a file of mode %o and says what to do', async (mode) => {
  await using scene = await openScene()
  const { path } = scene
  await openApiToken(path)
  await chmod(path, mode)
  await expect(openApiToken(path)).rejects.toMatchObject({
    kind: 'denied',
    code: 'token.readable',
    message: expect.stringContaining(`chmod 600 ${path}`),
  })
})

it.each([
  '',
  'short',
  'a token with spaces that is long enough to pass',
  'x'.repeat(5_000),
])('refuses a file that holds no token', async (content) => {
  await using scene = await openScene()
  const { path } = scene
  await writeFile(path, content, { mode: 0o600 })
  await expect(openApiToken(path)).rejects.toMatchObject({ code: 'token.malformed' })
  expect(await readFile(path, 'utf8')).toBe(content)
})

it('does not follow a link', async () => {
  await using scene = await openScene()
  const { home, path } = scene
  await openApiToken(join(home, 'elsewhere'))
  await symlink(join(home, 'elsewhere'), path)
  await expect(openApiToken(path)).rejects.toMatchObject({ code: 'token.malformed' })
})

it('says how a token comes about when a client finds none', async () => {
  await using scene = await openScene()
  const { home, path } = scene
  const failure = await readApiToken(path).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(AegisError)
  expect(failure).toMatchObject({ kind: 'not-found', code: 'token.absent' })
  expect(await readdir(home)).toEqual([])
})

/** A directory of its own, and where the token goes. */
async function openScene(): Promise<AsyncDisposable & { home: string; path: string }> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-token-'))
  return {
    home,
    path: join(home, 'api-token'),
    [Symbol.asyncDispose]: () => rm(home, { recursive: true }),
  }
}
