import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { connect, TLSSocket, type TLSSocketOptions } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeCertificateAuthority } from '../inspect/certificates/certificate-authority.ts'
import { aClientHello, recordsOf } from '../testing/a-client-hello.ts'
import type { ClientHello } from './client-hello.ts'
import { watchTls } from './watch-tls.ts'

const firstHello = recordsOf(aClientHello({ serverName: 'a.example' }), 16_384)
const record = (type: number, body: Buffer): Buffer =>
  Buffer.concat([Buffer.of(type, 3, 3, body.length >> 8, body.length & 0xff), body])
const changed = record(20, Buffer.of(1))
const finished = record(22, Buffer.alloc(40, 0xab))
const data = record(23, Buffer.alloc(100, 0xcd))
const keyExchange = record(22, Buffer.concat([Buffer.of(16, 0, 0, 33), Buffer.alloc(33)]))

function watching() {
  const names: (string | undefined)[] = []
  const watch = watchTls(({ serverName }: ClientHello) => void names.push(serverName))
  return { watch, names }
}

/** What passes, and why it stopped. */
function passThrough(chunks: readonly Buffer[]): {
  passed: Buffer
  names: unknown[]
  code?: string
} {
  const { watch, names } = watching()
  const passed: Buffer[] = []
  try {
    for (const chunk of chunks) passed.push(Buffer.from(watch.pass(chunk)))
    return { passed: Buffer.concat(passed), names }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'none'
    return { passed: Buffer.concat(passed), names, code }
  }
}

const pieces = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = []
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

describe('a TLS connection that passes unread', () => {
  const inOrder = [
    ['TLS 1.3', [firstHello, changed, data, data]],
    ['TLS 1.3 with early data', [firstHello, changed, data]],
    [
      'TLS 1.2',
      [firstHello, keyExchange, changed, finished, data, record(21, Buffer.alloc(26)), data],
    ],
  ] as const

  it.each(inOrder)('of %s passes unchanged, however its bytes come', (_name, records) => {
    const bytes = Buffer.concat(records)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
        const { passed, names, code } = passThrough(pieces(bytes, sizes))
        expect(code).toBeUndefined()
        expect(passed).toEqual(bytes)
        expect(names).toEqual(['a.example'])
      }),
    )
  })

  it.each<[string, TLSSocketOptions['minVersion'] & string]>([
    ['TLS 1.3', 'TLSv1.3'],
    ['TLS 1.2', 'TLSv1.2'],
  ])('of %s between real ends passes unchanged', async (_name, version) => {
    const authority = makeCertificateAuthority({ nodeName: 'test' })
    const [client, outside] = duplexPair()
    const [inside, server] = duplexPair()
    const { watch, names } = watching()
    outside.on('data', (chunk: Buffer) => inside.write(watch.pass(chunk)))
    inside.pipe(outside)
    const secureContext = authority.contextFor('a.example')
    const serving = new TLSSocket(server, { isServer: true, secureContext, maxVersion: version })
    serving.pipe(serving)
    const tls = connect({
      socket: client,
      servername: 'a.example',
      ca: authority.certificate,
      minVersion: version,
      maxVersion: version,
    })
    await once(tls, 'secureConnect')
    const echoed = readAll(tls, 200_000)
    tls.write(Buffer.alloc(200_000, 'x'))
    expect((await echoed).length).toBe(200_000)
    expect(names).toEqual(['a.example'])
    tls.destroy()
  })

  const other = aClientHello({ serverName: 'b.example', padding: 300 })

  it.each([
    ['before its keys change', [firstHello, recordsOf(other, 16_384)]],
    ['after they change', [firstHello, changed, recordsOf(other, 16_384)]],
    ['after early data', [firstHello, changed, data, recordsOf(other, 16_384)]],
    ['over some records', [firstHello, changed, recordsOf(other, 50)]],
    [
      'behind another message',
      [firstHello, record(22, Buffer.concat([Buffer.of(11, 0, 0, 1, 0), other]))],
    ],
    [
      'across another message',
      [firstHello, recordsOf(Buffer.concat([Buffer.of(11, 0, 0, 1, 0), other]), 50)],
    ],
  ])('shows a second hello %s', (_name, records) => {
    const bytes = Buffer.concat(records)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (sizes) => {
        expect(passThrough(pieces(bytes, sizes)).names).toEqual(['a.example', 'b.example'])
      }),
    )
  })

  it('does not pass the last record of a hello that is refused', () => {
    const watch = watchTls(({ serverName }) => {
      if (serverName === 'b.example') throw new Error('refused')
    })
    const all = [firstHello, changed, ...pieces(recordsOf(other, 100), [105])]
    const passed: Buffer[] = []
    expect(() => {
      for (const chunk of all) passed.push(Buffer.from(watch.pass(chunk)))
    }).toThrow('refused')
    expect(passed).toHaveLength(all.length - 1)
  })

  it.each([
    [
      'negotiates anew',
      [firstHello, keyExchange, changed, finished, data, finished],
      'egress.tls-renegotiation',
    ],
    [
      'does so at once',
      [firstHello, keyExchange, changed, finished, finished],
      'egress.tls-renegotiation',
    ],
    [
      'speaks otherwise than TLS',
      [firstHello, Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      'egress.malformed',
    ],
    ['has records of other kinds', [firstHello, record(24, Buffer.alloc(9))], 'egress.malformed'],
    [
      'has records that are too long',
      [firstHello, Buffer.of(23, 3, 3, 255, 255)],
      'egress.malformed',
    ],
    [
      'has an empty record of the handshake',
      [firstHello, record(22, Buffer.alloc(0))],
      'egress.malformed',
    ],
    [
      'spreads a message thinly',
      [firstHello, changed, record(22, Buffer.of(1, 0))],
      'egress.malformed',
    ],
    [
      'has a hello that is broken',
      [firstHello, record(22, Buffer.of(1, 0, 0, 2, 3, 3))],
      'egress.malformed',
    ],
    [
      'has a hello that is too long',
      [firstHello, record(22, Buffer.of(1, 2, 0, 0, 3, 3))],
      'egress.malformed',
    ],
  ])('is stopped when its client %s', (_name, records, code) => {
    expect(passThrough(records).code).toBe(code)
  })
})

async function readAll(stream: Duplex, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk)
    if (chunks.reduce((sum, { length }) => sum + length, 0) >= bytes) break
  }
  return Buffer.concat(chunks)
}
