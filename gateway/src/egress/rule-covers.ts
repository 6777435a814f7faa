import { defaultPorts, type NetworkRule } from '@aegis/core'
import { inRange, rangeOfEntry } from './address-range.ts'
import { type IpAddress, parseIpAddress } from './ip-address.ts'

/** Whether a rule speaks of this canonical host and port; one that names no port means 80 and 443. */
export function ruleCovers(rule: NetworkRule, host: string, port: number): boolean {
  if (!coversPort(rule, port)) return false
  switch (rule.kind) {
    case 'host':
      return rule.host === host
    case 'suffix':
      return host.endsWith(`.${rule.suffix}`) && parseIpAddress(host) === undefined
    case 'cidr': {
      const address = parseIpAddress(host)
      return address !== undefined && ruleCoversAddress(rule, address, port)
    }
  }
}

/** Whether a rule with a range of addresses covers this one. */
export function ruleCoversAddress(rule: NetworkRule, address: IpAddress, port: number): boolean {
  const range = rangeOfEntry(rule)
  return range !== undefined && coversPort(rule, port) && inRange(range, address)
}

const coversPort = ({ port: own }: NetworkRule, port: number): boolean =>
  own === undefined ? defaultPorts.includes(port) : own === port
