import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Certificates, makeCertificates } from './certificates.ts'
import { type NameServer, openNameServer } from './name-server.ts'

/** Where servers of the world may stand, under which names, and with which certificates. */
export interface Ground extends AsyncDisposable {
  readonly names: NameServer
  readonly certificates: Certificates
  /** Of its own; gone with it. */
  readonly directory: string
  /** The range of all its addresses. */
  readonly range: string
  address(place: Place): string
}

export type Place = keyof typeof places
const places = { names: 1, web: 2, evil: 3, db: 4, cache: 5, shell: 6 } as const

const zone: Readonly<Record<string, Place>> = {
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

/** Takes addresses of this machine's loopback that nobody else uses, and serves names for them. */
export async function openGround(): Promise<Ground> {
  await using undo = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'aegis-world-'))
  undo.defer(() => rm(directory, { recursive: true, force: true }))
  const block = await freeBlock()
  const address = (place: Place): string => `${block}.${places[place]}`
  const names = undo.use(await openNameServer(address('names')))
  for (const [name, place] of Object.entries(zone)) names.answer(name, [address(place)])
  const certificates = await makeCertificates(directory, Object.keys(zone))
  const resources = undo.move()
  return {
    ...{ names, certificates, directory, address },
    range: `${block}.0/24`,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** `127.a.b`, where nobody serves the web. */
async function freeBlock(): Promise<string> {
  for (;;) {
    const block = `127.${randomInt(1, 63)}.${randomInt(1, 255)}`
    const server = createServer()
    server.listen(443, `${block}.${places.web}`)
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
