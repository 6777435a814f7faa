import { isIPv4, isIPv6 } from 'node:net'

/**
 * The form of an address that Cedar reads, or undefined for what is none. Cedar knows no IPv4
 * address inside of IPv6: one that is only mapped (`::ffff:10.0.0.1`) counts as the IPv4 address
 * that it means, so that a range covers it however it is written.
 */
export function cedarAddress(text: string): string | undefined {
  if (isIPv4(text)) return text
  if (!isIPv6(text) || text.includes('%')) return undefined
  const groups = groupsOf(text)
  const [high = 0, low = 0] = groups.slice(6)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  return groups.map((group) => group.toString(16)).join(':')
}

/** The same of a range; a mapped one that is wider than IPv4 itself stays one of IPv6. */
export function cedarRange(address: string, prefixLength: number): string | undefined {
  const read = cedarAddress(address)
  if (read === undefined) return undefined
  if (!address.includes(':') || read.includes(':')) return `${read}/${prefixLength}`
  return prefixLength >= 96
    ? `${read}/${prefixLength - 96}`
    : `${groupsOf(address)
        .map((group) => group.toString(16))
        .join(':')}/${prefixLength}`
}

/** An address as a number, with the width of its family. */
export function addressNumber(text: string): { readonly bits: 32 | 128; readonly number: bigint } {
  if (isIPv4(text)) {
    const number = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
    return { bits: 32, number }
  }
  const number = groupsOf(text).reduce((sum, group) => sum * 65536n + BigInt(group), 0n)
  return { bits: 128, number }
}

/** The eight groups of an IPv6 address. */
function groupsOf(text: string): readonly number[] {
  const [head = '', tail] = text.split('::')
  const front = readGroups(head)
  if (tail === undefined) return front
  const back = readGroups(tail)
  return [...front, ...Array<number>(8 - front.length - back.length).fill(0), ...back]
}

const readGroups = (text: string): readonly number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((group) => {
        if (!group.includes('.')) return [Number.parseInt(group, 16)]
        const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
        return [a * 256 + b, c * 256 + d]
      })

/** The canonical text of an address. */
export function addressText(bits: 32 | 128, number: bigint): string {
  if (bits === 32) {
    return [24n, 16n, 8n, 0n].map((shift) => Number((number >> shift) & 255n)).join('.')
  }
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((number >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
