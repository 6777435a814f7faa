import { type IpAddress, parseIpAddress } from './ip-address.ts'

/** A host in the one form in which it is asked about, recorded and dialled. */
export type CanonicalHost =
  | { readonly kind: 'name'; readonly host: string }
  | { readonly kind: 'address'; readonly host: string; readonly address: IpAddress }

/** Why a text is no host that may be connected to. */
export interface HostRefusal {
  readonly kind: 'refused'
  readonly reason: string
}

/**
 * Reads a name or an address. Whatever different programs could read differently is refused rather
 * than mended: the resolver, the policy and the server must all see the same host.
 */
export function canonicalHost(text: string): CanonicalHost | HostRefusal {
  if (text.length > maxHostCharacters) return refused('A host has at most 253 characters.')
  if (!/^[!-~]+$/.test(text)) {
    return refused('A host is written in ASCII, without spaces. Write other names in xn-- form.')
  }
  if (/^\[.*\]$/.test(text)) {
    const inside = text.slice(1, -1)
    if (inside.includes(':')) return canonicalAddress(inside)
    return refused('Only an IPv6 address stands in brackets.')
  }
  return text.includes(':') ? canonicalAddress(text) : canonicalName(text)
}

/** 253, and the dot at the end. */
const maxHostCharacters = 254

function canonicalAddress(text: string): CanonicalHost | HostRefusal {
  if (text.includes('%')) {
    return refused('An address with a zone means something on one host only. Leave the zone out.')
  }
  const address = parseIpAddress(text)
  if (address === undefined) return refused('It is not an IPv6 address.')
  return { kind: 'address', host: address.text, address }
}

function canonicalName(text: string): CanonicalHost | HostRefusal {
  const address = parseIpAddress(text)
  if (address !== undefined) return { kind: 'address', host: address.text, address }
  const name = text.toLowerCase().replace(/\.$/, '')
  const labels = name.split('.')
  // 2130706433, 127.1, 0x7f.1, 0177.0.0.1: some resolvers read these as addresses.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) {
    return refused('A host that ends in a number is an address: write it as four decimal numbers.')
  }
  if (name.length > 253) return refused('A host has at most 253 characters.')
  if (!labels.every((label) => hostLabel.test(label))) {
    return refused(
      'Each part of a name has 1 to 63 letters, digits, - and _, with no - at either end.',
    )
  }
  return { kind: 'name', host: name }
}

/** The same as in the rules of a manifest. */
const hostLabel = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

const refused = (reason: string): HostRefusal => ({ kind: 'refused', reason })
