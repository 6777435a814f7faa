import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { discoverConfig } from './discover-config.ts'

it('takes the files that a config names relative to it, wherever the command runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aegis-config-'))
  const explicit = join(folder, 'node.yaml')
  await writeFile(
    explicit,
    `node: { id: one, type: edge, name: one }
llm_providers:
  - { name: offline, type: scripted, rules: rules.yaml, models: [{ alias: default, model: m }] }
runtime: { bootstrap_script: ./own/bootstrap.py }
network: { tls: { cert_path: cert.pem, key_path: /etc/key.pem } }
observability: { logging: { file: logs/aegis.log } }
`,
  )
  try {
    const { config } = await discoverConfig({ explicit, env: {}, cwd: '/', home: folder })
    const { llm_providers: providers, runtime, network, observability } = config.spec
    expect(providers[0]?.rules).toBe(join(folder, 'rules.yaml'))
    expect(runtime.bootstrap_script).toBe(join(folder, 'own/bootstrap.py'))
    expect(network.tls).toEqual({ cert_path: join(folder, 'cert.pem'), key_path: '/etc/key.pem' })
    expect(observability.logging.file).toBe(join(folder, 'logs/aegis.log'))
  } finally {
    await rm(folder, { recursive: true })
  }
})
