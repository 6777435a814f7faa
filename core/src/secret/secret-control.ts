import { secretName } from '../agent/manifest-schema.ts'
import type { SecretControl } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { inputError, quote } from '../kernel/input-error.ts'
import { parseKeySource } from './key-source.ts'
import { checkSecretValue, parseSecretFacts } from './parse-secret.ts'
import type { SecretKeeper } from './secret-keeper.ts'

interface Deps {
  readonly vault: SecretKeeper
  readonly clock: Pick<Clock, 'now'>
}

/** The use cases of secrets. None of them gives a value back. */
export function makeSecretControl({ vault, clock }: Deps): SecretControl {
  return {
    list: async () => vault.list(),

    async set(name, { value, ...scope }) {
      const before = vault.list().find((secret) => secret.name === name)
      // What something else wrote into the file is no scope to go on with.
      const known = before?.state === 'intact' ? before : undefined
      const agents = scope.agents ?? known?.agents
      const hosts = scope.hosts ?? known?.hosts
      if (agents === undefined || hosts === undefined) throw withoutScope({ agents, hosts })
      const facts = parseSecretFacts({
        name,
        agents,
        hosts,
        places: scope.places ?? known?.places,
      })
      checkSecretValue(value, facts)
      const updatedAt = clock.now()
      const createdAt = known?.createdAt ?? updatedAt
      await vault.put({ ...facts, value, createdAt, updatedAt })
      return {
        secret: { ...facts, createdAt, updatedAt, state: 'intact' },
        created: before === undefined,
      }
    },

    async remove(name) {
      if (secretName().safeParse(name).success && (await vault.remove(name))) return
      throw new AegisError(
        'not-found',
        'secret.absent',
        `There is no secret ${quote(name)}. See what there is with aegis secret list.`,
      )
    },

    async rotate({ key } = {}) {
      const source = key === undefined ? undefined : parseKeySource(key)
      if (source !== undefined && 'message' in source) {
        throw inputError('secret.invalid', [{ path: 'key', ...source }])
      }
      return vault.rotate(source)
    },
  }
}

function withoutScope(scope: Readonly<Record<'agents' | 'hosts', unknown>>): AegisError {
  const remedies = {
    agents: 'Say which agents may use a new secret: --agent <name>, or --agent "*" for all.',
    hosts: 'Say where a new secret may be sent: --to api.example.com.',
  }
  const problems = (['agents', 'hosts'] as const)
    .filter((path) => scope[path] === undefined)
    .map((path) => ({ path, message: 'It is missing.', remedy: remedies[path] }))
  return inputError('secret.invalid', problems)
}
