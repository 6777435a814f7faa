import { addressNumber } from '../ip-address.ts'
import type { AddressRange } from './address-range.ts'

/** Ranges of IPv4 that are not of the internet as a whole (RFC 6890 and those of clouds). */
const special = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
] as const

/**
 * Literal addresses that network mode `deny` may reach. The gateway decides in the end; this is so
 * that a ceiling on addresses that it never dials refuses nobody.
 */
export const publicRanges: readonly AddressRange[] = [...publicIpv4(), ...globalUnicast()]

function publicIpv4(): readonly AddressRange[] {
  const ranges: AddressRange[] = []
  let first = 0n
  for (const text of special) {
    const [address = '', length] = text.split('/')
    const { number } = addressNumber(address)
    if (number > first) ranges.push({ bits: 32, first, last: number - 1n })
    first = number + (1n << BigInt(32 - Number(length)))
  }
  return ranges
}

/** 2000::/3 without 2001::/23, 2001:db8::/32 and 2002::/16. */
function globalUnicast(): readonly AddressRange[] {
  const starts = (group: bigint, next = 0n) => (group << 112n) + (next << 96n)
  return [
    { first: starts(0x2000n), end: starts(0x2001n) },
    { first: starts(0x2001n, 0x200n), end: starts(0x2001n, 0xdb8n) },
    { first: starts(0x2001n, 0xdb9n), end: starts(0x2002n) },
    { first: starts(0x2003n), end: starts(0x4000n) },
  ].map(({ first, end }) => ({ bits: 128, first, last: end - 1n }))
}
