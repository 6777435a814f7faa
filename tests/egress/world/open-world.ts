import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { openPostgres, openRedis, openSsh } from './databases.ts'
import { makeRepository } from './git-repository.ts'
import { type NameServer, openNameServer } from './name-server.ts'
import { openWebServer, type WebServer } from './web-server.ts'

/**
 * The world as a sandbox could reach it, on addresses of this machine's loopback that nobody else
 * uses, under names that one name server knows.
 */
export interface World extends AsyncDisposable {
  readonly names: NameServer
  readonly certificates: Certificates
  /** The site that agents may use: web.aegis.test, sub.wild.test, deep.sub.wild.test. */
  readonly web: WebServer
  /** The site that they may not: evil.test, evilwild.test, wild.test. */
  readonly evil: WebServer
  /** The range of all its addresses. */
  readonly range: string
  /** Address of a server: `web`, `evil`, `db`, `cache`, `shell`. */
  address(server: keyof typeof hosts): string
}

export interface WorldOptions {
  /** Start PostgreSQL, Redis and an SSH server too. */
  readonly databases?: boolean
}

const hosts = { names: 1, web: 2, evil: 3, db: 4, cache: 5, shell: 6 } as const

const zone: Readonly<Record<string, keyof typeof hosts>> = {
  'web.aegis.test': 'web',
  'read.aegis.test': 'web',
  'sub.wild.test': 'web',
  'deep.sub.wild.test': 'web',
  'wild.test': 'evil',
  'evilwild.test': 'evil',
  'evil.test': 'evil',
  'db.aegis.test': 'db',
  'cache.aegis.test': 'cache',
  'shell.aegis.test': 'shell',
}

export async function openWorld({ databases = false }: WorldOptions = {}): Promise<World> {
  await using undo = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'aegis-world-'))
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const block = await freeBlock()
  const address = (server: keyof typeof hosts): string => `${block}.${hosts[server]}`
  const names = undo.use(await openNameServer(address('names')))
  for (const [name, server] of Object.entries(zone)) names.answer(name, [address(server)])
  const certificates = await makeCertificates(directory, Object.keys(zone))
  await makeRepository(directory)
  const site = (server: 'web' | 'evil') =>
    openWebServer({ address: address(server), certificates, files: directory })
  const web = undo.use(await site('web'))
  const evil = undo.use(await site('evil'))
  if (databases) {
    const servers = [openPostgres(address('db')), openRedis(address('cache'))]
    for (const server of await Promise.all([...servers, openSsh(address('shell'))])) {
      undo.use(server)
    }
  }
  const resources = undo.move()
  return {
    names,
    certificates,
    web,
    evil,
    range: `${block}.0/24`,
    address,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** `127.a.b`, where nobody serves the web. */
async function freeBlock(): Promise<string> {
  for (;;) {
    const block = `127.${randomInt(1, 63)}.${randomInt(1, 255)}`
    const server = createServer()
    server.listen(443, `${block}.${hosts.web}`)
    try {
      await once(server, 'listening')
      return block
    } catch {
      // Taken by another run of the tests.
    } finally {
      server.close()
    }
  }
}
