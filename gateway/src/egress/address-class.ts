import { addressRange, inRange } from './address-range.ts'
import { type IpAddress, ipv4Address } from './ip-address.ts'

/**
 * What an address is, as far as it decides who may dial it.
 * `reserved`: what no connection can have as its other end, or what is not for general use.
 */
export type AddressClass =
  | 'public'
  | 'private'
  | 'own'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'reserved'

/**
 * Classifies an address, and the IPv4 address that a translator would make of it; the stricter class
 * counts. `own`: the addresses of this host, read when somebody is about to dial.
 */
export function classOf(address: IpAddress, own: readonly IpAddress[]): AddressClass {
  const classes = formsOf(address).map((form) => classOfForm(form, own))
  return strictest.find((each) => classes.includes(each)) ?? 'reserved'
}

/** The address, and the IPv4 addresses that NAT64, 6to4, Teredo or ISATAP would find in it. */
export function formsOf(address: IpAddress): readonly IpAddress[] {
  if (address.family === 4) return [address]
  const { value } = address
  const embedded: bigint[] = []
  if (inRange(nat64, address)) embedded.push(value & low32)
  if (inRange(sixToFour, address)) embedded.push((value >> 80n) & low32)
  // Teredo: its server, and the client with all bits turned over.
  if (inRange(teredo, address)) embedded.push((value >> 64n) & low32, ~value & low32)
  const interfaceId = (value >> 32n) & low32
  if (interfaceId === 0x0000_5efen || interfaceId === 0x0200_5efen) embedded.push(value & low32)
  // ::1.2.3.4, long deprecated; :: and ::1 are none.
  if (value >> 32n === 0n && value > 1n) embedded.push(value)
  return [address, ...embedded.map(ipv4Address)]
}

const low32 = 0xffff_ffffn

const strictest: readonly AddressClass[] = [
  'metadata',
  'loopback',
  'link-local',
  'own',
  'reserved',
  'private',
  'public',
]

function classOfForm(address: IpAddress, own: readonly IpAddress[]): AddressClass {
  const special = table.find(({ ranges }) => ranges.some((range) => inRange(range, address)))
  if (special !== undefined && special.class !== 'private') return special.class
  if (own.some(({ family, value }) => family === address.family && value === address.value)) {
    return 'own'
  }
  if (special !== undefined) return special.class
  // Of IPv6 only 2000::/3 is given out to the world; a translated IPv4 address is judged besides.
  if (address.family === 4 || inRange(globalUnicast, address) || inRange(nat64, address)) {
    return 'public'
  }
  return 'reserved'
}

const nat64 = addressRange('64:ff9b::/96')
const sixToFour = addressRange('2002::/16')
const teredo = addressRange('2001::/32')
const globalUnicast = addressRange('2000::/3')

/** The first that covers an address decides. */
const table = (
  [
    [
      'metadata',
      '169.254.169.254', // AWS, Azure, Google, Oracle, DigitalOcean and others
      '169.254.170.2', // AWS ECS
      '169.254.170.23', // AWS EKS
      '169.254.42.42', // Scaleway
      '100.100.100.200', // Alibaba
      '168.63.129.16', // Azure's host
      '192.0.0.192', // Oracle, formerly
      'fd00:ec2::/32', // AWS
      'fd20:ce::254', // Google
      'fd00:42::42', // Scaleway
      'fe80::a9fe:a9fe',
    ],
    ['loopback', '127.0.0.0/8', '::1'],
    ['link-local', '169.254.0.0/16', 'fe80::/10'],
    ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
    [
      'reserved',
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24', // Documentation
      '192.88.99.0/24', // 6to4 relays
      '198.18.0.0/15', // Benchmarks; and the addresses that a sandbox gives to names
      '198.51.100.0/24', // Documentation
      '203.0.113.0/24', // Documentation
      '224.0.0.0/4', // Multicast
      '240.0.0.0/4', // Future use, and broadcast
      '2001:2::/48', // Benchmarks
      '2001:10::/28', // ORCHID
      '2001:20::/28', // ORCHIDv2
      '2001:db8::/32', // Documentation
      '3fff::/20', // Documentation
    ],
  ] satisfies [AddressClass, ...string[]][]
).map(([name, ...ranges]) => ({ class: name, ranges: ranges.map(addressRange) }))
