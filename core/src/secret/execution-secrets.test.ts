import { expect, it } from 'vitest'
import { Secret } from '../kernel/secret.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { mintSecrets } from './execution-secrets.ts'
import type { SecretVault, UsableSecret } from './secret-vault.ts'

const github: UsableSecret = {
  name: 'github',
  agents: ['coder'],
  hosts: [{ kind: 'host', host: 'api.github.com' }],
  places: ['bearer'],
  value: new Secret('hunter2'),
}

const vault: SecretVault = {
  open: (agent, name) => (agent === 'coder' && name === 'github' ? github : undefined),
}

const counting = () => {
  let next = 1
  return { placeholder: () => `aegis-secret-${next++}` }
}

it('gives an agent a placeholder for each secret, and the value to nobody but the gateway', () => {
  const manifest = aManifest('coder', { secrets: { GH_TOKEN: 'github', GITHUB_TOKEN: 'github' } })
  const { secrets, environment } = mintSecrets(vault, counting(), manifest)
  expect(environment).toEqual({ GH_TOKEN: 'aegis-secret-1', GITHUB_TOKEN: 'aegis-secret-1' })
  expect(secrets).toEqual([{ ...github, placeholder: 'aegis-secret-1' }])
  expect(JSON.stringify({ secrets, environment })).not.toContain('hunter2')
})

it('makes another placeholder each time', () => {
  const ids = counting()
  const manifest = aManifest('coder', { secrets: { GH_TOKEN: 'github' } })
  const [one, two] = [mintSecrets(vault, ids, manifest), mintSecrets(vault, ids, manifest)]
  expect(one.environment).not.toEqual(two.environment)
})

it.each([
  ['another agent', 'echo', 'github'],
  ['a secret that there is not', 'coder', 'gitlab'],
])('refuses %s in the same words, with what to do', (_, agent, name) => {
  const manifest = aManifest(agent, { secrets: { TOKEN: name } })
  expect(() => mintSecrets(vault, counting(), manifest)).toThrow(
    `The agent ${agent} may use no secret "${name}". The operator can give it one: aegis secret set ${name} --agent ${agent} --to <host>`,
  )
})
