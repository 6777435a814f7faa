import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AegisCommand, demoAgent, openNodeCommand } from '../e2e/aegis-command.ts'

let aegis: AegisCommand
beforeAll(async () => {
  aegis = await openNodeCommand()
})
afterAll(async () => {
  await aegis.run('daemon', 'stop')
  await aegis[Symbol.asyncDispose]()
})

const runAs = (token: string, ...args: readonly string[]) =>
  aegis.runWith({ env: { AEGIS_TOKEN: token } }, ...args)

describe('access from the command line', () => {
  it('works on the home without a daemon, as its owner', async () => {
    const who = await aegis.run('whoami', '--json')
    expect(JSON.parse(who.stdout)).toMatchObject({ name: 'local', role: 'admin', token_id: null })
    const made = await aegis.run('token', 'create', 'early', '--role', 'viewer')
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^aegis_\S+\n$/) })
    expect((await aegis.run('token', 'ls')).stdout).toMatch(/^early .* viewer/m)
  })

  it('does not let a token do on the home what it may not', async () => {
    const { stdout } = await aegis.run('token', 'create', 'weak', '--role', 'viewer')
    const refused = await runAs(stdout.trim(), 'agent', 'list')
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused.stderr).toMatch(/A token was given, and no daemon runs/)
    expect(refused.stderr).toContain('aegis daemon start')
  })

  it('lets each token do what it is for, tells why not, and ends it at once', async () => {
    expect((await aegis.run('daemon', 'start')).code).toBe(0)
    expect((await aegis.run('agent', 'deploy', demoAgent('echo'))).code).toBe(0)
    const make = async (...args: readonly string[]) =>
      (await aegis.run('token', 'create', ...args)).stdout.trim()
    const dev = await make('dev', '--role', 'developer', '--agent', 'echo', '--expires', '1h')
    const viewer = await make('eyes', '-r', 'viewer', '-e', 'never')

    const who = await runAs(dev, 'whoami')
    expect(who.stdout).toMatch(/Name +dev\nRole +developer\nOnly +agents echo\n/)
    const answer = await runAs(dev, 'task', 'execute', 'echo', '--input', 'Hello', '--wait')
    expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining('Hello') })
    const denied = await runAs(viewer, 'agent', 'pause', 'echo')
    expect(denied.code).toBe(1)
    expect(denied.stderr).toContain(
      '"eyes" has the role viewer, which does not permit api.agent.write',
    )
    expect(denied.stderr).toContain('aegis token create <name> --role developer')
    const json = await runAs(dev, 'agent', 'show', 'other', '--json')
    expect(JSON.parse(json.stderr)).toMatchObject({
      code: 'access.agent',
      exit_code: 1,
      details: { action: 'api.agent.read', role: 'developer' },
    })

    const list = JSON.parse((await aegis.run('token', 'list', '--json')).stdout)
    expect(list.map(({ name }: { readonly name: string }) => name)).toEqual([
      'early',
      'weak',
      'dev',
      'eyes',
    ])
    expect((await aegis.run('token', 'revoke', 'dev')).stdout).toMatch(/^Revoked dev \(/)
    const revoked = await aegis.run('agent', 'list', '--token', dev)
    expect(revoked.code).toBe(1)
    expect(revoked.stderr).toMatch(/opens nothing on this node.*aegis token create/)
    expect((await aegis.run('token', 'revoke', 'nobody')).code).toBe(4)
    expect((await aegis.run('token', 'list', '--all')).stdout).toMatch(/^dev .* revoked /m)
  })

  it('is in the audit, with who it was', async () => {
    const shown = await aegis.run(
      'audit',
      'list',
      '--type',
      'api.called',
      '--limit',
      '100',
      '--json',
    )
    const calls = JSON.parse(shown.stdout).map(({ entry }: { readonly entry: object }) => entry)
    expect(calls).toContainEqual(
      expect.objectContaining({
        actor: 'dev',
        data: expect.objectContaining({
          action: 'api.task.execute',
          resource: 'echo',
          status: 200,
        }),
      }),
    )
    expect(calls).toContainEqual(
      expect.objectContaining({
        actor: 'eyes',
        data: expect.objectContaining({ action: 'api.agent.write', status: 403 }),
      }),
    )
    expect(calls).toContainEqual(
      expect.objectContaining({
        data: expect.objectContaining({ refused: 'revoked', status: 401 }),
      }),
    )
    expect(calls).toContainEqual(
      expect.objectContaining({
        actor: 'local',
        data: expect.objectContaining({ via: 'embedded', method: 'tokens.create' }),
      }),
    )
    expect(shown.stdout).not.toMatch(/aegis_[0-9a-f]{16}_/)
  })

  it('does not send the token of the home to a stranger', async () => {
    const refused = await aegis.run('--host', 'http://192.0.2.1:8000', 'agent', 'list')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('the token of that is not sent there')
    expect(refused.stderr).toContain('AEGIS_TOKEN')
    const url = await aegis.run(
      'daemon',
      'start',
      '--foreground',
      '--host',
      'https://aegis.example',
    )
    expect(url.code).toBe(2)
    expect(url.stderr).toContain('is a URL')
  })
})
