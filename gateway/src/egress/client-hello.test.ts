import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { aClientHello, type HelloParts, recordsOf } from '../testing/a-client-hello.ts'
import { readClientHello } from './client-hello.ts'

/** The first flight of Node's own client. */
async function helloOfNode(options: ConnectionOptions): Promise<Buffer> {
  const [client, wire] = duplexPair()
  const socket = connect({ socket: client, rejectUnauthorized: false, ...options })
  socket.on('error', () => undefined)
  const [first] = await once(wire, 'data')
  socket.destroy()
  return first
}

const name = fc.domain()
const protocols = fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 }), {
  maxLength: 5,
})
const parts: fc.Arbitrary<HelloParts> = fc.record({
  serverName: fc.option(name, { nil: undefined }),
  protocols,
  encrypted: fc.boolean(),
  padding: fc.nat(3000),
  sessionId: fc.nat(32),
})

describe('a ClientHello', () => {
  it.each<[string, ConnectionOptions]>([
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['both', {}],
  ])('of a real client with %s tells its server and its protocols', async (_name, options) => {
    const bytes = await helloOfNode({
      ...options,
      servername: 'API.Example.com',
      ALPNProtocols: ['h2', 'http/1.1'],
    })

    expect(readClientHello(bytes)).toEqual({
      kind: 'hello',
      hello: { serverName: 'API.Example.com', protocols: ['h2', 'http/1.1'], encrypted: false },
    })
  })

  it('of a real client that names no server tells none', async () => {
    const bytes = await helloOfNode({})
    expect(readClientHello(bytes)).toEqual({
      kind: 'hello',
      hello: { serverName: undefined, protocols: [], encrypted: false },
    })
  })

  it('is read the same over any fragments and records', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 200, max: 5000 }), (hello, recordBytes) => {
        const bytes = recordsOf(aClientHello(hello), recordBytes)
        expect(readClientHello(bytes)).toEqual({
          kind: 'hello',
          hello: {
            serverName: hello.serverName,
            protocols: hello.protocols,
            encrypted: hello.encrypted,
          },
        })
      }),
    )
  })

  it('is asked for more until its last byte is there, and never misread before', () => {
    fc.assert(
      fc.property(
        parts,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (hello, share) => {
          const bytes = recordsOf(aClientHello(hello), 700)
          const some = bytes.subarray(0, Math.floor(bytes.length * share))
          expect(readClientHello(some).kind).toBe('more')
        },
      ),
    )
  })

  it('is not read past: what follows it in the stream is not looked at', () => {
    const bytes = recordsOf(aClientHello({ serverName: 'a.example' }), 16_384)
    const early = Buffer.concat([bytes, Buffer.from([20, 3, 3, 0, 1, 1, 23, 3, 3])])
    expect(readClientHello(early)).toMatchObject({ hello: { serverName: 'a.example' } })
  })

  it('ends as more, a hello or malformed, whatever the bytes are', () => {
    const mutated = fc.tuple(parts, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }))
    fc.assert(
      fc.property(mutated, ([hello, changes]) => {
        const bytes = recordsOf(aClientHello(hello), 1000)
        for (const [place, byte] of changes) bytes[place % bytes.length] = byte
        expect(['more', 'hello', 'malformed']).toContain(readClientHello(bytes).kind)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const bytes = Buffer.concat([Buffer.of(22, 3, 1), noise])
        expect(['more', 'malformed']).toContain(readClientHello(bytes).kind)
      }),
    )
  })

  it.each([
    ['two server names', aClientHello({ serverNames: ['a.example', 'b.example'] }), 'server name'],
    ['the extension twice', aClientHello({ serverName: 'a.example', twice: true }), 'twice'],
    ['a name with a NUL', aClientHello({ serverName: 'a.example\0.b' }), 'ASCII'],
    ['a name beyond ASCII', aClientHello({ serverName: 'b\xfccher.example' }), 'ASCII'],
    ['bytes at its end', aClientHello({ trailing: 3 }), 'behind its extensions'],
    ['half a suite', aClientHello({ suiteBytes: 3 }), 'half a cipher suite'],
    ['no suites', aClientHello({ suiteBytes: 0 }), 'cipher suites'],
    ['another message', Buffer.of(2, 0, 0, 1, 0), 'no ClientHello'],
    ['a second one behind it', Buffer.concat([aClientHello({}), aClientHello({})]), 'alone'],
    ['a length beyond the bound', Buffer.of(1, 2, 0, 0), '65536 bytes'],
  ])('with %s is malformed', (_name, message, reason) => {
    expect(readClientHello(recordsOf(message, 16_384))).toEqual({
      kind: 'malformed',
      reason: expect.stringContaining(reason),
    })
  })

  it('is malformed in too many records, in empty ones, and between others', () => {
    const hello = aClientHello({ padding: 500 })
    expect(readClientHello(recordsOf(hello, 5))).toMatchObject({ kind: 'malformed' })
    expect(readClientHello(Buffer.of(22, 3, 1, 0, 0))).toMatchObject({ kind: 'malformed' })
    const records = recordsOf(hello, 300)
    records[305] = 23
    expect(readClientHello(records)).toMatchObject({ kind: 'malformed' })
  })

  it('needs no more than the bound to be told, whatever its client sends', () => {
    const endless = recordsOf(
      Buffer.concat([Buffer.of(1, 0, 255, 255), Buffer.alloc(70_000)]),
      1024,
    )
    const most = limits.clientHelloBytes + 2 * 16_384
    expect(readClientHello(endless.subarray(0, most)).kind).toBe('malformed')
  })
})
