import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkHostPaths } from './host-paths.ts'

let base: string
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'aegis-paths-')))
  await mkdir(join(base, 'home/.aegis/keys'), { recursive: true })
  await mkdir(join(base, 'data'))
  await writeFile(join(base, 'data/file'), '')
  await symlink('data', join(base, 'link'))
})
afterAll(() => rm(base, { recursive: true }))

const check = (path: string) =>
  checkHostPaths({ read: [path], write: [], readOnly: false }, [join(base, 'home/.aegis')])

it('lets plain directories and files pass', async () => {
  await check(join(base, 'data'))
  await check(join(base, 'data/file'))
})

it.each([
  '/',
  '/proc',
  '/proc/self',
  '/sys',
  '/dev',
  '/dev/shm',
  '/run',
  '/workspace',
])('never lets %s appear in a sandbox', async (path) => {
  await expect(check(path)).rejects.toThrow(/may not appear|does not exist|symbolic link/)
})

it.each([
  'home/.aegis',
  'home/.aegis/keys',
  'home',
])('never lets what is, holds or lies in a protected directory appear: %s', async (path) => {
  await expect(check(join(base, path))).rejects.toMatchObject({ code: 'filesystem.protected' })
})

it.each([
  ['relative/path', 'not an absolute path'],
  ['/nowhere/at/all', 'does not exist'],
  ['/usr/../usr', 'plain form'],
  ['/usr/', 'plain form'],
  ['/usr//bin', 'plain form'],
  ['/usr\0', 'plain form'],
  ['', 'not an absolute path'],
])('refuses %j and says why', async (path, because) => {
  await expect(check(path)).rejects.toThrow(because)
})

it('refuses to follow links, and names the target', async () => {
  await expect(check(join(base, 'link'))).rejects.toThrow(join(base, 'data'))
  await expect(check(join(base, 'link/file'))).rejects.toThrow('symbolic link')
})

it('refuses sockets', async () => {
  const path = join(base, 'data/socket')
  const server = createServer().listen(path)
  await new Promise((resolve) => server.once('listening', resolve))
  await expect(check(path)).rejects.toThrow('neither a directory nor a file')
  await new Promise((resolve) => server.close(resolve))
})
