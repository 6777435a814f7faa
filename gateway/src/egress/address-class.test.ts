import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AddressClass, classOf } from './address-class.ts'
import { type IpAddress, ipv6Address, parseIpAddress } from './ip-address.ts'

const addressOf = (text: string): IpAddress => {
  const address = parseIpAddress(text)
  if (address === undefined) throw new Error(`${text} is no address`)
  return address
}
const classOfText = (text: string, own: readonly string[] = []): AddressClass =>
  classOf(addressOf(text), own.map(addressOf))

describe('the class of an address', () => {
  it.each<[AddressClass, ...string[]]>([
    ['public', '1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1', '2a00::1'],
    ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1'],
    ['private', 'fc00::1', 'fd12:3456::1'],
    ['loopback', '127.0.0.1', '127.255.255.255', '::1'],
    ['link-local', '169.254.0.1', 'fe80::1', 'febf::1'],
    ['metadata', '169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254'],
    ['metadata', 'fd20:ce::254', '169.254.170.2', '192.0.0.192'],
    ['reserved', '0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255', '240.0.0.1', '198.18.0.1'],
    ['reserved', '192.0.2.1', '198.51.100.1', '203.0.113.1', '192.88.99.1', '192.0.0.1'],
    ['reserved', '::', 'ff02::1', '2001:db8::1', '3fff::1', '100::1', '64:ff9b:1::1', 'fec0::1'],
    ['reserved', '4000::1', '2001:2::1', '2001:20::1'],
  ])('is %s for %s and others', (expected, ...texts) => {
    for (const text of texts) expect([text, classOfText(text)]).toEqual([text, expected])
  })

  it('is own for what this host has, unless it is worse than that', () => {
    const own = ['8.8.4.4', '10.0.0.7', '2a00::7', '127.0.0.1', 'fe80::7']
    expect(classOfText('8.8.4.4', own)).toBe('own')
    expect(classOfText('10.0.0.7', own)).toBe('own')
    expect(classOfText('2a00::7', own)).toBe('own')
    expect(classOfText('::ffff:8.8.4.4', own)).toBe('own')
    expect(classOfText('64:ff9b::8.8.4.4', own)).toBe('own')
    expect(classOfText('127.0.0.1', own)).toBe('loopback')
    expect(classOfText('fe80::7', own)).toBe('link-local')
    expect(classOfText('10.0.0.8', own)).toBe('private')
  })

  it('is public in no translated form of an address that is not', () => {
    const hidden = fc.oneof(
      bytesOf(127, any, any, any),
      bytesOf(10, any, any, any),
      bytesOf(192, 168, any, any),
      bytesOf(169, 254, any, any),
      bytesOf(172, fc.integer({ min: 16, max: 31 }), any, any),
      bytesOf(100, fc.integer({ min: 64, max: 127 }), any, any),
      bytesOf(fc.integer({ min: 224, max: 255 }), any, any, any),
      bytesOf(0, any, any, any),
      fc.constantFrom(0xa9fea9fen, 0x646464c8n, 0xa83f8110n),
    )
    fc.assert(
      fc.property(hidden, fc.bigInt(0n, 2n ** 32n - 1n), (v4, rest) => {
        const forms = [
          (0xffffn << 32n) | v4, // v4-mapped
          v4, // v4-compatible
          (0x64_ff9bn << 96n) | v4, // NAT64
          (0x2002n << 112n) | (v4 << 80n) | rest, // 6to4
          (0x2001_0000n << 96n) | (v4 << 64n) | rest, // Teredo, its server
          (0x2001_0000n << 96n) | (0x0808_0808n << 64n) | (v4 ^ 0xffff_ffffn), // Teredo, its client
          (0x2a00n << 112n) | (0x5efen << 32n) | v4, // ISATAP
          (0x2a00n << 112n) | (0x0200_5efen << 32n) | v4,
        ]
        for (const form of forms) expect(classOf(ipv6Address(form), [])).not.toBe('public')
      }),
    )
  })
})

const any = fc.nat(255)

const bytesOf = (...parts: (number | fc.Arbitrary<number>)[]): fc.Arbitrary<bigint> =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'number' ? fc.constant(part) : part)))
    .map((bytes) => bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n))
