/** An address in the one form that AEGIS knows it by. */
export interface IpAddress {
  readonly family: 4 | 6
  readonly value: bigint
  /** RFC 5952 for IPv6, without brackets. */
  readonly text: string
}

/**
 * Reads dotted decimal, or IPv6 in any spelling of RFC 4291, and nothing else: no zone, no octal, no
 * hexadecimal, no short forms. An IPv4 address inside IPv6 (`::ffff:1.2.3.4`) is that IPv4 address,
 * since that is what the system would connect to.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > longest) return undefined
  if (!text.includes(':')) {
    const value = ipv4Value(text)
    return value === undefined ? undefined : ipv4Address(value)
  }
  const value = ipv6Value(text)
  return value === undefined ? undefined : ipv6Address(value)
}

export const ipv4Address = (value: bigint): IpAddress => ({
  family: 4,
  value,
  text: [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.'),
})

export function ipv6Address(value: bigint): IpAddress {
  if (value >> 32n === 0xffffn) return ipv4Address(value & 0xffff_ffffn)
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  )
  return { family: 6, value, text: shorten(groups) }
}

/** Eight groups of four digits, or six and dotted decimal. */
const longest = 45

function ipv4Value(text: string): bigint | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0n
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = (value << 8n) | BigInt(part)
  }
  return value
}

function ipv6Value(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map(groupsOf)
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  // Dotted decimal may stand at the very end alone.
  if (tail !== undefined && halves[0]?.includes('.')) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<bigint>(missing).fill(0n), ...(tail ?? [])]
  return groups.reduce((value, group) => (value << 16n) | group, 0n)
}

/** The groups of one side of a `::`; an embedded IPv4 address counts as two. */
function groupsOf(half: string): readonly bigint[] | undefined {
  if (half === '') return []
  const parts = half.split(':')
  const groups: bigint[] = []
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(BigInt(`0x${part}`))
    else {
      const embedded = index === parts.length - 1 ? ipv4Value(part) : undefined
      if (embedded === undefined) return undefined
      groups.push(embedded >> 16n, embedded & 0xffffn)
    }
  }
  return groups
}

/** RFC 5952: the first of the longest runs of two or more zero groups becomes `::`. */
function shorten(groups: readonly string[]): string {
  let start = 0
  let length = 0
  for (let from = 0; from < groups.length; from += 1) {
    let to = from
    while (groups[to] === '0') to += 1
    if (to - from > length) [start, length] = [from, to - from]
  }
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}
