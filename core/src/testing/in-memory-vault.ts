import { formatKeySource } from '../secret/key-source.ts'
import type { KeptSecret, SecretKeeper } from '../secret/secret-keeper.ts'
import { usableBy } from '../secret/usable-secret.ts'

/** A vault that forgets: nothing is encrypted, and nothing is kept. */
export function makeInMemoryVault(kept: readonly KeptSecret[] = []): SecretKeeper {
  const secrets = new Map(kept.map((secret) => [secret.name, secret]))
  return {
    open(agentName, secretName) {
      const secret = secrets.get(secretName)
      return secret && usableBy(agentName, secret)
    },
    list: () =>
      [...secrets.values()]
        .sort((one, other) => (one.name < other.name ? -1 : 1))
        .map(({ value, ...facts }) => ({ ...facts, state: 'intact' })),
    async put(secret) {
      secrets.set(secret.name, secret)
    },
    remove: async (name) => secrets.delete(name),
    rotate: async (source = { kind: 'file' }) => ({
      secrets: secrets.size,
      key: formatKeySource(source),
      isKeyNew: true,
      isConfigured: source.kind === 'file',
    }),
  }
}
