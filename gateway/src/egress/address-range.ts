import type { NetworkEntry } from '@aegis/core'
import { type IpAddress, parseIpAddress } from './ip-address.ts'

/** All addresses that share their first bits. */
export interface AddressRange {
  readonly family: 4 | 6
  readonly base: bigint
  /** Bits that are free. */
  readonly freeBits: bigint
}

/** @throws TypeError for what no schema lets through */
export function addressRange(text: string): AddressRange {
  const [address = '', length] = text.split('/')
  const parsed = parseIpAddress(address)
  if (parsed === undefined) throw new TypeError(`Not a range of addresses: ${text}`)
  return rangeOf(parsed, length === undefined ? undefined : Number(length), address.includes(':'))
}

/** The range of a rule; undefined where the rule speaks of names. */
export function rangeOfEntry(entry: NetworkEntry): AddressRange | undefined {
  if (entry.kind !== 'cidr') return undefined
  const range = ranges.get(entry) ?? addressRange(`${entry.address}/${entry.prefixLength}`)
  ranges.set(entry, range)
  return range
}

/** Read once: a manifest may have a thousand, and each connection asks them all. */
const ranges = new WeakMap<NetworkEntry, AddressRange>()

export const inRange = ({ family, base, freeBits }: AddressRange, address: IpAddress): boolean =>
  address.family === family && address.value >> freeBits === base >> freeBits

function rangeOf(
  { family, value }: IpAddress,
  length: number | undefined,
  writtenAsIpv6: boolean,
): AddressRange {
  const width = family === 4 ? 32 : 128
  // `::ffff:10.0.0.0/104` is 10.0.0.0/8. A shorter prefix than 96 covers more than IPv4, and no rule
  // written so can mean that.
  const prefix = length ?? width
  const own = family === 4 && writtenAsIpv6 && length !== undefined ? prefix - 96 : prefix
  if (!Number.isInteger(own) || own < 0 || own > width) {
    throw new TypeError(`/${length} is not a prefix length of an address`)
  }
  return { family, base: value, freeBits: BigInt(width - own) }
}
