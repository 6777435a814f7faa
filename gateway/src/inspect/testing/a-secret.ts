import { randomBytes } from 'node:crypto'
import { type ExecutionSecret, type NetworkEntry, parseNetworkEntry, Secret } from '@aegis/core'

export interface SecretChanges extends Partial<Omit<ExecutionSecret, 'hosts' | 'value'>> {
  readonly value?: string
  readonly hosts?: readonly string[]
}

/** A secret of an execution, for tests. */
export const aSecret = ({ value, hosts, ...changes }: SecretChanges = {}): ExecutionSecret => ({
  name: 'token',
  agents: ['*'],
  places: ['header', 'bearer', 'basic', 'query'],
  placeholder: `aegis-secret-${randomBytes(16).toString('hex')}`,
  value: new Secret(value ?? 'ghp_R3al/Value+of=the"secret'),
  hosts: (hosts ?? ['localhost']).map(entry),
  ...changes,
})

function entry(text: string): NetworkEntry {
  const parsed = parseNetworkEntry(text)
  if ('message' in parsed) throw new Error(parsed.message)
  return parsed
}
