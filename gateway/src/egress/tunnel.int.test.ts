import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openEgressScene, openLoopbackServer } from '../testing/open-egress-scene.ts'

const names = { 'db.test': ['127.0.0.1'] }

describe('a protocol that is not read', () => {
  it('passes both ways to a permitted name, and its end too', async () => {
    await using server = await openLoopbackServer((socket) => socket.pipe(socket))
    const { port } = server
    using scene = openEgressScene({ allow: [`db.test:${port}`, `127.0.0.1:${port}`], names })

    const client = scene.tunnel({ host: 'db.test', port })
    client.end('\x00\x01ping')

    expect(await text(client)).toBe('\x00\x01ping')
    expect(scene.recording.started).toEqual([
      {
        connection: 1,
        host: 'db.test',
        port,
        address: '127.0.0.1',
        via: 'name',
        reading: 'opaque',
        policies: [`db.test:${port}`],
      },
    ])
    await expect
      .poll(() => scene.recording.ended)
      .toMatchObject([{ connection: 1, host: 'db.test', port, bytesOut: 6, bytesIn: 6 }])
    expect(scene.recording.ended[0]).not.toHaveProperty('cause')
    expect(scene.recording.denials).toEqual([])
  })

  it('may be one in which the server speaks first', async () => {
    await using server = await openLoopbackServer((socket) => {
      socket.write('220 mail ready\r\n')
      socket.once('data', (chunk) => socket.end(`got ${chunk}`))
    })
    const { port } = server
    using scene = openEgressScene({ allow: [`db.test:${port}`, `127.0.0.1:${port}`], names })

    const client = scene.tunnel({ host: 'db.test', port })
    const [banner] = await once(client, 'data')
    client.end('EHLO me\r\n')

    expect(String(banner)).toBe('220 mail ready\r\n')
    expect(await text(client)).toBe('got EHLO me\r\n')
  })

  it('is refused to a host that no rule permits, before any look-up', async () => {
    using scene = openEgressScene({ names })

    const client = scene.tunnel({ host: 'db.test', port: 5432 })
    await once(client, 'close')

    expect(scene.lookedUp).toEqual([])
    expect(scene.recording.denials).toMatchObject([
      { action: 'network.connect', subject: 'db.test:5432', code: 'egress.no-rule' },
    ])
  })
})
