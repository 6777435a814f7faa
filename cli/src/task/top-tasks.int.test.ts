import { openNodeCommand } from '@aegis/tests/e2e/aegis-command.ts'
import { expect, it } from 'vitest'

const sleeper = `
apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: sleeper
  version: 1.0.0
spec:
  runtime:
    language: python
    version: "3.11"
    isolation: process
  task:
    command: [sleep, "60"]
  security:
    resources:
      cpu: 100
      memory: 32Mi
      timeout: 90s
`

it('shows what a real sandbox uses', async () => {
  await using aegis = await openNodeCommand()
  expect(await aegis.run('task', 'top')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Nothing runs: there is no daemon.'),
  })
  expect(await aegis.run('daemon', 'start', '--port', '0')).toMatchObject({ code: 0 })
  const manifest = await aegis.write('sleeper.yaml', sleeper)
  const following = aegis.start('task', 'execute', manifest, '--follow', '--verbose')
  await following.said(/ up in | was warm/)

  const table = await aegis.run('task', 'top', '--once')
  expect(table).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 running, .*\nTASK /) })
  const look = JSON.parse((await aegis.run('--json', 'task', 'top', '--once')).stdout)
  expect(look.sandboxes).toMatchObject([
    { agent_name: 'sleeper', state: 'hot', isolation: 'process', limits: { cpu_millicores: 100 } },
  ])
  expect(look.sandboxes[0].stats.pids).toBeGreaterThanOrEqual(2)

  const watching = aegis.start('task', 'top', '--interval', '0.1')
  await watching.said(/sleeper/)
  watching.child.kill('SIGINT')
  expect(await watching.ended).toMatchObject({ code: 0, stderr: '' })
  await aegis.run('task', 'cancel', look.sandboxes[0].execution_id)
  expect((await following.ended).code).toBe(5)
})
