import { describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { openChaosHome } from './chaos-home.ts'
import { firstEvent, historyOf } from './execution-history.ts'
import { makeGate } from './gate.ts'
import { leftoversOf } from './leftovers.ts'

import { untilTestEnds } from './until-test-ends.ts'

const reason = await whyNoProcessHost()

describe.skipIf(reason !== undefined)(
  `a stopped daemon${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it('interrupts what runs, leaves nothing behind, and takes it up again at its next start', async () => {
      const gate = untilTestEnds(await makeGate())
      const home = untilTestEnds(await openChaosHome({ readable: [gate.directory] }))
      const daemon = await home.start()
      const plane = await home.connect()
      await plane.agents.deploy(gate.waiter('waiter'))
      const inputs = Array.from({ length: 10 }, (_, index) => `input ${index}`)
      const ids = await Promise.all(
        inputs.map((input) => plane.executions.execute('waiter', input)),
      )
      await Promise.all(ids.map((id) => firstEvent(plane, id, 'execution.console')))

      daemon.child.kill('SIGTERM')
      expect(await daemon.ended).toMatchObject({ code: 0 })
      expect(await leftoversOf(home.mark)).toEqual([])

      await gate.open()
      await home.start()
      for (const [index, id] of ids.entries()) {
        const history = await historyOf(plane, id)
        expect(history.filter(({ type }) => type === 'execution.interrupted')).toMatchObject([
          { orderly: true },
        ])
        expect(history.at(-1)).toMatchObject({
          type: 'execution.completed',
          output: `up\n${inputs[index]}`,
        })
      }
      expect(await leftoversOf(home.mark)).toEqual([])
    })

    it('ends at once when it is told twice, and loses nothing by it', async () => {
      const gate = untilTestEnds(await makeGate())
      const home = untilTestEnds(await openChaosHome({ readable: [gate.directory] }))
      const daemon = await home.start()
      const plane = await home.connect()
      await plane.agents.deploy(gate.waiter('waiter'))
      const id = await plane.executions.execute('waiter', 'input')
      await firstEvent(plane, id, 'execution.console')
      daemon.child.kill('SIGTERM')
      await daemon.said(/daemon stops/)
      daemon.child.kill('SIGINT')
      // It may have been done with stopping just before.
      expect((await daemon.ended).code).toBeOneOf(['SIGINT', 0])

      await gate.open()
      await home.start()
      const history = await historyOf(plane, id)
      expect(history.at(-1)).toMatchObject({ type: 'execution.completed', output: 'up\ninput' })
      expect(await leftoversOf(home.mark)).toEqual([])
    })
  },
)
