import { isIPv4, isIPv6 as isSomeIpv6 } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  ipv4Number,
  ipv4Text,
  ipv6Text,
  isDnsName,
  isHostName,
  isIpv4,
  isIpv6,
} from './addresses.ts'

/** Addresses with gaps, as real ones have them. */
const address = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0x1f, 0xab, 0xff), { minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes))

it('writes each IPv6 address in the one form that it reads', () => {
  fc.assert(
    fc.property(address, (bytes) => {
      const text = ipv6Text(bytes)
      expect(isSomeIpv6(text)).toBe(true)
      expect(isIpv6(text)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

it.each([
  ['20010db8000000000000000000000001', '2001:db8::1'],
  ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['20010000000000010000000000000001', '2001:0:0:1::1'],
  ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['00000000000000000000ffff01020304', '::ffff:102:304'],
  ['00000000000000000000000000000000', '::'],
  ['00010000000000000000000000000000', '1::'],
])('writes %s as RFC 5952 does', (hex, text) => {
  expect(ipv6Text(Buffer.from(hex, 'hex'))).toBe(text)
})

it('reads and writes IPv4 addresses, and what is none it does not take', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (number) => {
      expect(isIpv4(ipv4Text(number))).toBe(true)
      expect(ipv4Number(ipv4Text(number))).toBe(number)
    }),
  )
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9.x]{1,16}$/), (text) => {
      expect(isIpv4(text)).toBe(isIPv4(text))
    }),
  )
})

it('takes nothing for a name that somebody could take for an address', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-fx.]{1,20}$/), (text) => {
      if (!isHostName(text) || !URL.canParse(`http://${text}/`)) return
      expect(new URL(`http://${text}/`).hostname).toBe(text)
      expect(isIPv4(text)).toBe(false)
    }),
    { numRuns: 1000 },
  )
})

it('meets whatever text with an answer, and finds no control character in a name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      if (isDnsName(text) || isIpv6(text)) expect(text).toMatch(/^[\x21-\x7e]+$/)
    }),
    { numRuns: 1000 },
  )
})
