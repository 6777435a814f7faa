import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { aClientHello, recordsOf } from '../testing/a-client-hello.ts'
import { tellProtocol } from './first-bytes.ts'

const told = (text: string): string | undefined => tellProtocol(Buffer.from(text, 'latin1'))?.kind

describe('what a client speaks', () => {
  it.each([
    ['GET / HTTP/1.1\r\n'],
    ['get / http/1.1\n'],
    ['GET / HTTP/1.0\r\n'],
    ['M-SEARCH * HTTP/1.1\r\n'],
    ['X-ANY_METHOD / HTTP/1.1\r\n'],
    ['GET\t/\tHTTP/1.1\r\n'],
    ['GET  /a b  HTTP/1.1  \r\n'],
    ['\r\nGET / HTTP/1.1\r\n'],
    ['\n\n\r\n\rGET / HTTP/1.1\r\n'],
    ['CONNECT a.example:443 HTTP/1.1\r\n'],
    ['GET http://a.example/ HTTP/1.1\r\n'],
    ['GET /\xff\xfe HTTP/1.1\r\n'],
    ['GET / HTTP/9.9\r\n'],
    ['PRI * HTTP/1.1\r\n'],
    [`${'A'.repeat(100)} / HTTP/1.1\r\n`],
    [' GET / HTTP/1.1\r\n'],
  ])('is HTTP in %j, and in no part of it is it anything else', (text) => {
    expect(told(text)).toBe('http1')
    for (let length = 0; length < text.length - 2; length += 1) {
      expect(told(text.slice(0, length))).toBeUndefined()
    }
  })

  it('is HTTP/2 with its preface', () => {
    expect(told('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).toBe('http2')
    expect(told('PRI * HTT')).toBeUndefined()
  })

  it.each([
    ['SSH-2.0-OpenSSH_9.2\r\n'],
    ['EHLO me\r\n'],
    ['*1\r\n$4\r\nPING\r\n'],
    ['GET key\r\n'],
    ['HTTP/1.1 200 OK\r\n'],
    ['\x00\x00\x00\x08\x04\xd2\x16\x2f'], // PostgreSQL asks for TLS
    ['\x80\x2e\x01\x03\x01'], // A hello of SSL 2
    ['\x16\x02\x01\x00'],
    ['{"jsonrpc":"2.0"}'],
    ['AMQP\x00\x00\x09\x01'],
    ['0\x0c\x02\x01\x01`\x07'], // LDAP
    ['0 \x02\x01'],
    ['\x10\x0e\x00\x04MQTT'],
    ['CONNECT {"verbose":false}\r\n'], // NATS
  ])('is something else in %j', (text) => {
    expect(told(text)).toBe('other')
  })

  it('is TLS with a ClientHello, and malformed with what begins like one', () => {
    const bytes = recordsOf(aClientHello({ serverName: 'a.example' }), 100)
    expect(tellProtocol(bytes)).toMatchObject({ kind: 'tls', hello: { serverName: 'a.example' } })
    expect(told('\x16')).toBeUndefined()
    expect(told('\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00')).toBe('malformed')
  })

  it.each([
    ['an alert before it', '\x15\x03\x01\x00\x02\x01\x00'],
    ['a change of keys before it', '\x14\x03\x03\x00\x01\x01'],
    ['data before it', '\x17\x03\x03\x00\x01\x01'],
  ])('is malformed with %s, behind which a hello could hide', (_name, text) => {
    expect(told(text)).toBe('malformed')
  })

  it.each([
    ['a line that could still become one of HTTP', `GET /${'a'.repeat(limits.firstLineBytes)}`],
    ['a word that could still become a method', 'A'.repeat(limits.firstLineBytes + 1)],
    ['empty lines', '\n'.repeat(limits.firstLineBytes + 1)],
  ])('is malformed with %s and no end', (_name, text) => {
    expect(told(text)).toBe('malformed')
  })

  it('does not change once it is told, however the bytes come', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((noise) => Buffer.from(noise)),
      fc.string({ unit: 'grapheme-ascii', maxLength: 200 }).map((text) => Buffer.from(`${text}\n`)),
      fc.webPath().map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\n\r\n`)),
      fc.domain().map((serverName) => recordsOf(aClientHello({ serverName }), 60)),
    )
    fc.assert(
      fc.property(bytes, (all) => {
        const kinds = Array.from(all, (_, index) => tellProtocol(all.subarray(0, index + 1))?.kind)
        expect(new Set(kinds.filter((kind) => kind !== undefined)).size).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is told within a bounded number of bytes', () => {
    const most = limits.clientHelloBytes + 64 * 1024
    const begins = [
      Buffer.of(22, 3, 1, 64, 0, 1, 0, 255, 255),
      Buffer.from('GET /'),
      Buffer.from('\r\n'),
    ]
    for (const begin of begins) {
      expect(tellProtocol(Buffer.concat([begin, Buffer.alloc(most, 'a')]))).toBeDefined()
    }
  })
})
