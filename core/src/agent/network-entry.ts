import { type Finding, quote } from '../kernel/input-error.ts'

/** What one entry of `security.network.allowlist` or `denylist` covers. */
export type NetworkEntry = {
  /** Absent: 80 and 443. */
  readonly port?: number | undefined
} & (
  | { readonly kind: 'host'; readonly host: string }
  /** Every name that ends in a dot and this, never this itself. */
  | { readonly kind: 'suffix'; readonly suffix: string }
  | { readonly kind: 'cidr'; readonly address: string; readonly prefixLength: number }
)

/**
 * Reads `host`, `host:port`, `*.suffix[:port]` or `cidr[:port]`, in lower case; an IPv6 address or
 * range that has a port stands in brackets (`[2001:db8::/32]:443`). Returns what is wrong instead
 * when it cannot be read.
 */
export function parseNetworkEntry(text: string): NetworkEntry | Finding {
  if (/:\/\//.test(text)) {
    return {
      message: `${quote(text)} is a URL.`,
      remedy: `Write the host alone: ${/:\/\/([\w.-]{1,80})/.exec(text)?.[1] ?? 'example.com'}.`,
    }
  }
  const { address, port } = splitPort(text)
  if (port !== undefined && (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65535)) {
    return { message: `${quote(port)} is not a port.`, remedy: 'Use 1 to 65535.' }
  }
  const withPort = port === undefined ? {} : { port: Number(port) }
  if (text.startsWith('[') || address.includes('/') || isAddress(address)) {
    const [start = '', length] = address.split(/\/(.*)/s)
    return rangeOf(text, start, length, withPort)
  }
  const suffix = address.startsWith('*.')
  const name = suffix ? address.slice(2) : address
  const finding = checkHostName(text, name)
  if (finding !== undefined) return finding
  return suffix
    ? { kind: 'suffix', suffix: name, ...withPort }
    : { kind: 'host', host: name, ...withPort }
}

/** What is wrong with an entry, if anything. */
export function checkNetworkEntry(text: string): Finding | undefined {
  const entry = parseNetworkEntry(text)
  return 'message' in entry ? entry : undefined
}

function splitPort(text: string): { address: string; port: string | undefined } {
  const [, bracketed, bracketPort] = /^\[([^\]]*)\](?::(.*))?$/s.exec(text) ?? []
  if (bracketed !== undefined) return { address: bracketed, port: bracketPort }
  if (text.split(':').length > 2) return { address: text, port: undefined }
  const [address = '', port] = text.split(':')
  return { address, port }
}

function rangeOf(
  text: string,
  address: string,
  length: string | undefined,
  port: { port?: number },
): NetworkEntry | Finding {
  const bits = address.includes(':') ? 128 : 32
  if (!isAddress(address) || (length !== undefined && !/^\d{1,3}$/.test(length))) {
    return {
      message: `${quote(text)} is not a range of addresses.`,
      remedy: 'Write it like 10.1.0.0/16 or [2001:db8::/32]:443; a path cannot be named.',
    }
  }
  const prefixLength = length === undefined ? bits : Number(length)
  if (prefixLength < 1 || prefixLength > bits) {
    return { message: `/${length} is not a prefix length.`, remedy: `Use /1 to /${bits}.` }
  }
  return { kind: 'cidr', address, prefixLength, ...port }
}

function checkHostName(text: string, name: string): Finding | undefined {
  const shown = quote(text)
  if (name.includes('*')) {
    return {
      message: `${shown} has a * where none can be.`,
      remedy: 'Use *.example.com for all names below example.com.',
    }
  }
  if (/[^ -~]/.test(name)) {
    return { message: `${shown} is not ASCII.`, remedy: 'Write the name in its xn-- form.' }
  }
  const labels = name.split('.')
  if (name.length <= 253 && labels.every((label) => hostLabel.test(label)) && !isNumeric(labels)) {
    return undefined
  }
  return {
    message: `${shown} is not a host.`,
    remedy: 'Write example.com, example.com:8443, *.example.com or 10.1.0.0/16.',
  }
}

const hostLabel = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/

/** Numbers alone are read as an address by some resolvers: 127.1, 0x7f000001. */
const isNumeric = (labels: readonly string[]): boolean =>
  /^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')

const isAddress = (text: string): boolean => isIpv4(text) || isIpv6(text)

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return (
    parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  )
}

/** RFC 4291, 2.2; an embedded IPv4 address counts as two groups. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (!text.includes(':') || halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  const embedded = last.includes('.')
  if (embedded && !(isIpv4(last) && !text.endsWith('::'))) return false
  const plain = embedded ? groups.slice(0, -1) : groups
  const count = plain.length + (embedded ? 2 : 0)
  if (!plain.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return false
  return halves.length === 2 ? count < 8 : count === 8
}
