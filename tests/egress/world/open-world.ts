import { openPostgres, openRedis, openSsh } from './databases.ts'
import { makeRepository } from './git-repository.ts'
import { type Ground, openGround } from './open-ground.ts'
import { openWebServer, type WebServer } from './web-server.ts'

/** The world as a sandbox could reach it: sites, and a PostgreSQL, a Redis and an SSH server. */
export interface World extends Ground {
  /** The site that agents may use: web.aegis.test, read.aegis.test, (deep.)sub.wild.test. */
  readonly web: WebServer
  /** The site that they may not: evil.test, evilwild.test, wild.test. */
  readonly evil: WebServer
}

export async function openWorld(): Promise<World> {
  await using undo = new AsyncDisposableStack()
  const ground = undo.use(await openGround())
  const { address, certificates, directory } = ground
  await makeRepository(directory)
  const site = (place: 'web' | 'evil') =>
    openWebServer({ address: address(place), certificates, files: directory })
  const web = undo.use(await site('web'))
  const evil = undo.use(await site('evil'))
  const servers = [openPostgres(address('db')), openRedis(address('cache'))]
  for (const server of await Promise.all([...servers, openSsh(address('shell'))])) undo.use(server)
  const resources = undo.move()
  return { ...ground, web, evil, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
