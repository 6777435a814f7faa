import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCredentials, parseGreeting, parseRequest } from './socks-request.ts'

const port = fc.nat(65_535)
const rest = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))
const request = (type: number, address: readonly number[], number: number): Buffer =>
  Buffer.of(5, 1, 0, type, ...address, number >> 8, number & 0xff)

describe('a request of SOCKS 5', () => {
  it('with a name is read to its last byte and no further', () => {
    const name = fc.domain().filter((text) => text.length < 256)
    fc.assert(
      fc.property(name, port, rest, (host, number, behind) => {
        const bytes = request(3, [host.length, ...Buffer.from(host)], number)
        expect(parseRequest(Buffer.concat([bytes, behind]))).toEqual({
          kind: 'value',
          value: { kind: 'connect', host, port: number },
          length: bytes.length,
        })
      }),
    )
  })

  it('with an address is read in canonical form', () => {
    fc.assert(
      fc.property(fc.ipV4(), port, (host, number) => {
        const bytes = request(1, host.split('.').map(Number), number)
        expect(parseRequest(bytes)).toMatchObject({
          value: { kind: 'connect', host, port: number },
        })
      }),
    )
    const mapped = [...Buffer.alloc(10), 255, 255, 127, 0, 0, 1]
    expect(parseRequest(request(4, mapped, 80))).toMatchObject({ value: { host: '127.0.0.1' } })
    const loopback = [...Buffer.alloc(15), 1]
    expect(parseRequest(request(4, loopback, 80))).toMatchObject({ value: { host: '::1' } })
  })

  it('is asked for more until it is whole', () => {
    const whole = request(3, [4, ...Buffer.from('a.bc')], 443)
    for (let length = 0; length < whole.length; length += 1) {
      expect(parseRequest(whole.subarray(0, length))).toEqual({ kind: 'more' })
    }
  })

  it('is refused by kind when it wants what there is not', () => {
    const bind = Buffer.of(5, 2, 0, 1, 1, 1, 1, 1, 0, 80)
    const datagrams = Buffer.of(5, 3, 0, 1, 0, 0, 0, 0, 0, 0)
    for (const bytes of [bind, datagrams]) {
      expect(parseRequest(bytes)).toMatchObject({ value: { kind: 'unsupported-command' } })
    }
    expect(parseRequest(Buffer.of(5, 1, 0, 2))).toMatchObject({
      value: { kind: 'unknown-address' },
    })
  })

  it.each([
    ['of another version', Buffer.of(4)],
    ['with a reserved byte that is set', Buffer.of(5, 1, 7)],
    ['with an empty name', Buffer.of(5, 1, 0, 3, 0)],
  ])('%s is malformed', (_name, bytes) => {
    expect(parseRequest(bytes)).toEqual({ kind: 'malformed' })
  })

  it('needs at most 262 bytes to be told, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 600, maxLength: 600 }), (noise) => {
        const bytes = Buffer.from(noise)
        const parsed = [parseGreeting, parseCredentials, parseRequest].map((parse) => parse(bytes))
        for (const each of parsed) {
          expect(each.kind).not.toBe('more')
          if (each.kind === 'value') expect(each.length).toBeLessThanOrEqual(513)
        }
      }),
    )
  })
})

describe('a greeting of SOCKS 5', () => {
  it('tells the methods', () => {
    expect(parseGreeting(Buffer.of(5, 2, 0, 2, 9))).toEqual({
      kind: 'value',
      value: [0, 2],
      length: 4,
    })
    expect(parseGreeting(Buffer.of(5, 2, 0))).toEqual({ kind: 'more' })
    expect(parseGreeting(Buffer.of(5, 0))).toEqual({ kind: 'malformed' })
  })
})

describe('credentials of SOCKS 5', () => {
  it('are read past', () => {
    const bytes = Buffer.of(1, 1, 65, 2, 66, 67, 5)
    expect(parseCredentials(bytes)).toEqual({ kind: 'value', value: 'read', length: 6 })
    expect(parseCredentials(bytes.subarray(0, 5))).toEqual({ kind: 'more' })
    expect(parseCredentials(Buffer.of(5))).toEqual({ kind: 'malformed' })
  })
})
