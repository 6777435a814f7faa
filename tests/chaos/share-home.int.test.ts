import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import type { Running } from '../e2e/aegis-command.ts'
import { json, ok, writeAgent } from '../e2e/product-commands.ts'
import { type ChaosHome, openChaosHome } from './chaos-home.ts'

const reason = await whyNoProcessHost()

let home: ChaosHome
let daemon: Running
beforeAll(async () => {
  if (reason !== undefined) return
  home = await openChaosHome()
  daemon = await home.start()
})
afterAll(() => home?.[Symbol.asyncDispose]())

describe.skipIf(reason !== undefined)(
  `a served home${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it('refuses a second daemon, on whatever port, and the first one serves on', async () => {
      const ran = await home.aegis.run('--daemon', '--port', '0')
      expect(ran).toMatchObject({ code: 1, stdout: '' })
      expect(ran.stderr).toMatch(/Another AEGIS process is using .*home.*AEGIS_HOME/)
      expect(await json(home.aegis, 'daemon', 'status')).toMatchObject({
        state: 'running',
        pid: daemon.child.pid,
      })
    })

    it('has its daemon run the tasks of commands', async () => {
      await writeAgent(home.aegis, 'adder', 'console.log(1 + 1)')
      const ran = await home.aegis.run('task', 'execute', './adder/agent.yaml', '--wait')
      expect(ran).toMatchObject({ code: 0, stdout: '2\n' })
      expect(ran.stderr).not.toContain('No daemon is running')
      const plane = await home.connect()
      expect(await plane.executions.list({ agentRef: 'adder' })).toMatchObject([
        { status: 'completed' },
      ])
      expect(await ok(home.aegis, 'agent', 'list')).toContain('adder')
    })
  },
)
