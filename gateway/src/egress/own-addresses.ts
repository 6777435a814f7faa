import { networkInterfaces } from 'node:os'
import { type IpAddress, parseIpAddress } from './ip-address.ts'

/** The addresses that this host has right now. */
export function ownAddresses(): readonly IpAddress[] {
  return Object.values(networkInterfaces()).flatMap((all = []) =>
    all.flatMap(({ address }) => parseIpAddress(address.replace(/%.*$/, '')) ?? []),
  )
}
