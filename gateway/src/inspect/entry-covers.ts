import { BlockList, isIP } from 'node:net'
import type { NetworkEntry } from '@aegis/core'

/**
 * Whether an entry of a network list covers a canonical host and a port; `ports` are those of an
 * entry that names none. A range covers addresses alone: where a name leads is not known here.
 */
export function entryCovers(
  entry: NetworkEntry,
  host: string,
  port: number,
  ports: readonly number[],
): boolean {
  if (entry.port === undefined ? !ports.includes(port) : entry.port !== port) return false
  switch (entry.kind) {
    case 'host':
      return host === entry.host
    case 'suffix':
      return host.endsWith(`.${entry.suffix}`)
    case 'cidr': {
      const family = isIP(host)
      if (family === 0) return false
      const range = new BlockList()
      range.addSubnet(entry.address, entry.prefixLength, familyOf(entry.address))
      return familyOf(host) === familyOf(entry.address) && range.check(host, familyOf(host))
    }
  }
}

const familyOf = (address: string) => (address.includes(':') ? 'ipv6' : 'ipv4')
