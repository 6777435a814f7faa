import { describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { json, ok, type TaskLine, writeAgent } from '../e2e/product-commands.ts'
import { openChaosHome } from './chaos-home.ts'
import { eventually } from './eventually.ts'
import { sandboxProcesses } from './host-processes.ts'
import { leftoversOf } from './leftovers.ts'

import { untilTestEnds } from './until-test-ends.ts'

const reason = await whyNoProcessHost()
const forever = 'console.log("up"); setInterval(() => {}, 1000)'

describe.skipIf(reason !== undefined)(
  `a killed command${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it('without a daemon leaves nothing after the next command, and its task in the queue', async () => {
      const home = untilTestEnds(await openChaosHome())
      const { aegis } = home
      await ok(aegis, 'agent', 'deploy', await writeAgent(aegis, 'forever', forever))
      const running = aegis.start('task', 'execute', 'forever', '--follow')
      await running.said(/stdout +\| up/)
      running.child.kill('SIGKILL')
      await running.ended
      await eventually(async () => {
        const left = await sandboxProcesses(home.mark)
        return left.length === 0 ? true : undefined
      })

      const [task] = await json<readonly TaskLine[]>(aegis, 'task', 'list')
      expect(task).toMatchObject({ agent_name: 'forever', status: 'queued' })
      expect(await leftoversOf(home.mark)).toEqual([])
      expect(await ok(aegis, 'task', 'cancel', task?.id ?? '')).toContain('Cancelled')
      expect(await json(aegis, 'task', 'list')).toMatchObject([{ status: 'cancelled' }])
      expect(await leftoversOf(home.mark)).toEqual([])
    })
  },
)
