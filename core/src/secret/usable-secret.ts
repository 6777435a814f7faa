import { parseNetworkEntry } from '../agent/network-entry.ts'
import type { KeptSecret } from './secret-keeper.ts'
import type { UsableSecret } from './secret-vault.ts'

/** A kept secret as `SecretVault.open` gives it to this agent; undefined where it may not use it. */
export function usableBy(agentName: string, secret: KeptSecret): UsableSecret | undefined {
  const { name, agents, places, value } = secret
  if (!agents.includes('*') && !agents.includes(agentName)) return undefined
  return { name, agents, places, value, hosts: secret.hosts.map(entryOf) }
}

function entryOf(text: string) {
  const entry = parseNetworkEntry(text)
  if ('message' in entry) throw new TypeError(`Not an entry of a network list: ${text}`)
  return entry
}
