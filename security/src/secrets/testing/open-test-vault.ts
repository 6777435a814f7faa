import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KeptSecret, Secret } from '@aegis/core'
import { openSecretVault, type SecretVaultOptions } from '../open-secret-vault.ts'

/** As cheap as the format allows. */
export const cheap = { n: 2 ** 15, r: 8, p: 1 }

/** A folder for a vault, and ways to open it again and again. */
export async function openVaultScene(env: Readonly<Record<string, string>> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-vault-'))
  const path = join(folder, 'secrets.json')
  const keyPath = join(folder, 'keys', 'secrets.key')
  return {
    folder,
    path,
    keyPath,
    open: (options: Partial<SecretVaultOptions> = {}) =>
      openSecretVault({
        path,
        keyPath,
        key: { kind: 'file' },
        variable: (name) => env[name],
        scryptCost: cheap,
        ...options,
      }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

const at = '2026-11-22T15:04:05.000Z'

/** A secret of one agent, and `changes`. */
export const aSecret = (
  name: string,
  {
    value = `value-of-${name}`,
    ...changes
  }: Partial<Omit<KeptSecret, 'value'>> & { value?: string } = {},
): KeptSecret => ({
  name,
  agents: ['coder'],
  hosts: ['api.github.com'],
  places: ['bearer'],
  createdAt: at,
  updatedAt: at,
  value: new Secret(value),
  ...changes,
})
