import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Certificates, makeCertificates } from '../egress/world/certificates.ts'
import { type AccessScene, homeToken, openAccessScene } from './access-scene.ts'

let folder: string
let ours: Certificates
let theirs: Certificates
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aegis-tls-'))
  const make = async (name: string) => {
    await mkdir(join(folder, name))
    return makeCertificates(join(folder, name), ['localhost'])
  }
  ours = await make('ours')
  theirs = await make('theirs')
})
afterAll(() => rm(folder, { recursive: true }))

/** With `caPath`, only for clients with a certificate of that authority. */
const openScene = (caPath?: string): Promise<AccessScene> =>
  openAccessScene({
    network: { tls: { certPath: ours.certPath, keyPath: ours.keyPath, caPath } },
  })

/** The first line of the answer to a request with this token. */
async function ask(
  { api }: AccessScene,
  options: ConnectionOptions,
  token = homeToken,
): Promise<string> {
  const socket = connect({
    port: api.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: ours.authority,
    ...options,
  })
  try {
    await once(socket, 'secureConnect')
    socket.write(
      `GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    )
    return (await text(socket)).split('\r\n')[0] ?? ''
  } finally {
    socket.destroy()
  }
}

describe('the API over TLS', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)('speaks %s', async (version) => {
    await using scene = await openScene()
    expect(scene.api.url).toMatch(/^https:/)
    const options = { minVersion: version, maxVersion: version } as const
    expect(await ask(scene, options)).toBe('HTTP/1.1 200 OK')
  })

  it.each(['TLSv1', 'TLSv1.1'] as const)('does not speak %s', async (version) => {
    await using scene = await openScene()
    const options = {
      minVersion: version,
      maxVersion: version,
      ciphers: 'ALL:@SECLEVEL=0', // Else this client would not try.
    } as const
    await expect(ask(scene, options)).rejects.toMatchObject({
      code: expect.stringMatching(/PROTOCOL_VERSION|ECONNRESET/),
    })
  })

  it('asks clients for a certificate of the authority that is configured, and for a token besides', async () => {
    await using scene = await openScene(ours.authorityPath)
    const { cert, key } = ours
    expect(await ask(scene, { cert, key })).toBe('HTTP/1.1 200 OK')
    expect(await ask(scene, { cert, key }, 'wrong')).toBe('HTTP/1.1 401 Unauthorized')
    // With TLS 1.3 a client learns only after its own greeting that it is not let in.
    for (const options of [{}, { cert: theirs.cert, key: theirs.key }]) {
      expect(await ask(scene, options).catch(() => '')).toBe('')
    }
  })

  it('does not speak without it on the same port', async () => {
    await using scene = await openScene()
    const plain = fetch(`http://127.0.0.1:${scene.api.port}/health`)
    await expect(plain).rejects.toThrow('fetch failed')
  })

  it('is not needed on loopback; elsewhere its absence is warned of', async () => {
    await using local = await openAccessScene()
    expect(local.complaints).toEqual([])
    await using open = await openAccessScene({ network: { bindAddress: '0.0.0.0' } })
    expect(open.complaints).toEqual([{ bindAddress: '0.0.0.0' }])
    await using safe = await openAccessScene({
      network: {
        bindAddress: '0.0.0.0',
        tls: { certPath: ours.certPath, keyPath: ours.keyPath },
      },
    })
    expect(safe.complaints).toEqual([])
  })
})
