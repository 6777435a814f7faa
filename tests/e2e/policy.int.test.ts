import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'

let aegis: AegisCommand
beforeAll(async () => {
  aegis = await openNodeCommand()
  await mkdir(join(aegis.home, 'policies'))
  await aegis.write('agent.yaml', manifest)
  await aegis.write('wide.yaml', manifest.replace('coder', 'wide').replace('api.', '*.'))
  await aegis.write('cases.yaml', cases)
})
afterAll(() => aegis[Symbol.asyncDispose]())

const manifest = `apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata: {name: coder, version: "1"}
spec:
  runtime: {language: javascript, version: "24"}
  task: {command: [cat]}
  security: {network: {allowlist: ["api.example.com"]}}
`
const ceiling = `forbid (principal, action == Action::"network.connect", resource)
when { context.host like "*.internal.example.com" };
`
const cases = `cases:
  - {agent: coder, action: network.connect, resource: api.example.com, expect: allow}
  - {agent: coder, action: network.connect, resource: "db.example.com:5432", expect: deny}
`
const policyFile = (name: string, text: string) =>
  writeFile(join(aegis.home, 'policies', name), text)

describe.each(['without a daemon', 'with a daemon'])('policies %s', (kind) => {
  beforeAll(async () => {
    await policyFile('ceiling.cedar', ceiling)
    if (kind === 'with a daemon') {
      const { code, stderr } = await aegis.run('--port', String(aegis.port), 'daemon', 'start')
      expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    }
  })
  afterAll(async () => {
    if (kind === 'with a daemon') await aegis.run('daemon', 'stop')
  })

  it('let an agent in that stays inside, and refuse one that does not, with an example', async () => {
    const inside = await aegis.run('agent', 'deploy', 'agent.yaml')
    expect(inside.code).toBe(0)
    const { code, stderr } = await aegis.run('agent', 'deploy', 'wide.yaml')
    expect(code).toBe(1)
    expect(stderr).toContain(
      'spec.security.network.allowlist[0] (*.example.com) lets it reach a.internal.example.com:80, which policy ceiling.cedar#1 (ceiling.cedar:1) forbids.',
    )
  })

  it('explain what they decide, and hold against a file of cases', async () => {
    const ask = (host: string) => aegis.run('policy', 'explain', 'coder', 'network.connect', host)
    expect(await ask('api.example.com')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('agent/coder/network.allowlist[0]'),
    })
    expect(await ask('db.example.com:5432')).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('Add db.example.com:5432 to spec.security.network.allowlist'),
    })
    const { code, stdout } = await aegis.run('policy', 'test', 'cases.yaml')
    expect({ code, stdout }).toMatchObject({ code: 0 })
    const list = await aegis.run('policy', 'list', '--agent', 'coder', '--json')
    const { policies } = JSON.parse(list.stdout)
    expect(policies.map(({ id }: { readonly id: string }) => id)).toContain('ceiling.cedar#1')
  })

  it('tell of others before they are in force', async () => {
    await aegis.write('new.cedar', ceiling.replace('*.internal.', 'api.'))
    const { code, stdout } = await aegis.run('policy', 'check', 'new.cedar', '--against-agents')
    expect(code).toBe(6)
    expect(stdout).toMatch(/1 policy in 1 file: no errors\nrefused coder: .*api\.example\.com:80/)
    await aegis.write('broken.cedar', 'forbid (principal, action resource);')
    expect(await aegis.run('policy', 'check', 'broken.cedar')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('error broken.cedar:1:27: '),
    })
  })
})

it('a daemon does not start on policies with errors, and a command denies everything', async () => {
  await policyFile('broken.cedar', 'forbid (')
  const started = await aegis.run('--port', String(aegis.port), 'daemon', 'start')
  expect(started.code).not.toBe(0)
  expect(started.stderr).toContain('broken.cedar:1:')
  const deployed = await aegis.run('agent', 'deploy', 'agent.yaml')
  expect(deployed).toMatchObject({ code: 1, stderr: expect.stringContaining('have errors') })
  await rm(join(aegis.home, 'policies', 'broken.cedar'))
  expect((await aegis.run('agent', 'deploy', 'agent.yaml')).code).toBe(0)
})
