import { addressNumber, cedarAddress } from '../ip-address.ts'

export interface AddressRange {
  readonly bits: 32 | 128
  readonly first: bigint
  readonly last: bigint
}

/** Reads `10.0.0.0/8`, or one address; undefined for what is neither. */
export function rangeOf(text: string): AddressRange | undefined {
  const [address = '', length] = text.split('/')
  const read = cedarAddress(address)
  if (read === undefined) return undefined
  const { bits, number } = addressNumber(read)
  const size = 1n << BigInt(bits - (length === undefined ? bits : Number(length)))
  const first = number - (number % size)
  return { bits, first, last: first + size - 1n }
}
