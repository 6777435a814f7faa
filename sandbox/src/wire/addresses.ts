/** IP addresses as text, in the one form that the wire protocol knows. */

const label = '[a-z0-9_-]{1,63}'
const hostName = new RegExp(`^(?=.{1,253}$)${label}(\\.${label})*$`)
const octet = '(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])'
const ipv4 = new RegExp(`^${octet}(\\.${octet}){3}$`)
/** What some resolvers and URL parsers would take for an address in an odd form. */
const endsInNumber = /(^|\.)([0-9]+|0x[0-9a-f]*)$/

/** What somebody may ask DNS for, be it an address by mistake. */
export const isDnsName = (text: string): boolean => hostName.test(text)

/** A name in canonical form: lower case, no trailing dot, nothing like an address. */
export const isHostName = (text: string): boolean => hostName.test(text) && !endsInNumber.test(text)

export const isIpv4 = (text: string): boolean => ipv4.test(text)

/** Whether it is an IPv6 address as RFC 5952 writes it, all of it in hexadecimal. */
export function isIpv6(text: string): boolean {
  if (!/^[0-9a-f:]{2,39}$/.test(text) || !URL.canParse(`http://[${text}]/`)) return false
  return new URL(`http://[${text}]/`).hostname === `[${text}]`
}

export function ipv4Number(text: string): number {
  if (!isIpv4(text)) throw new RangeError(`Not an IPv4 address: ${text}`)
  return text.split('.').reduce((all, part) => all * 256 + Number(part), 0)
}

export const ipv4Text = (address: number): string =>
  [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')

/** Of 16 bytes. */
export function ipv6Text(address: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index))
  const text = groups.map((group) => group.toString(16)).join(':')
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}
