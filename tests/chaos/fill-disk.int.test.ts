import { AegisError } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { openChaosHome } from './chaos-home.ts'
import { firstEvent, historyOf } from './execution-history.ts'
import { makeGate } from './gate.ts'
import { leftoversOf } from './leftovers.ts'
import { shellAgent } from './small-agents.ts'
import { mountSmallDisk, whyNoSmallDisk } from './small-disk.ts'
import { expectSoundStore } from './sound-store.ts'
import { untilTestEnds } from './until-test-ends.ts'

const reason = (await whyNoProcessHost()) ?? whyNoSmallDisk()

describe.skipIf(reason !== undefined)(
  `a full disk${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it('is told to who asks, and all that was accepted goes on when there is space', async () => {
      const gate = untilTestEnds(await makeGate())
      const home = untilTestEnds(await openChaosHome({ readable: [gate.directory] }))
      const disk = untilTestEnds(await mountSmallDisk(home.aegis.home, 24 << 20))
      const daemon = await home.start()
      const plane = await home.connect()
      await plane.agents.deploy(gate.waiter('waiter'))
      await plane.agents.deploy(gate.asker('asker'))
      await plane.agents.deploy(shellAgent('repeater', 'exec cat'))
      const held = await Promise.all(
        ['waiter', 'asker'].map((agent) => plane.executions.execute(agent, 'held')),
      )
      for (const id of held) await firstEvent(plane, id, 'execution.console')

      await disk.fill()
      const accepted: string[] = []
      const input = 'many words '.repeat(5000)
      const refusal = await executeUntilRefused()
      expect(refusal).toMatchObject({ kind: 'exhausted', code: 'store.full' })
      expect(refusal.message).toMatch(/No space is left.*Free some.*then try again/)
      // What only reads goes on.
      for (const id of held)
        expect(await plane.executions.find(id)).toMatchObject({ status: 'running' })
      // They end while their ends cannot be stored.
      await gate.open()
      await daemon.said(/(store\.full.*a run broke off.*){2}/s)

      await disk.free()
      accepted.push(await plane.executions.execute('repeater', input))
      for (const id of accepted) {
        const history = await historyOf(plane, id)
        expect(history.at(-1)).toMatchObject({ type: 'execution.completed', output: input })
      }
      for (const id of held) {
        const history = await historyOf(plane, id)
        expect(history.at(-1)).toMatchObject({ type: 'execution.completed', output: 'up\nheld' })
      }
      expect(await leftoversOf(home.mark)).toEqual([])
      daemon.child.kill('SIGTERM')
      expect(await daemon.ended).toMatchObject({ code: 0 })
      await expectSoundStore(home.aegis.home)

      async function executeUntilRefused(): Promise<AegisError> {
        for (;;) {
          try {
            accepted.push(await plane.executions.execute('repeater', input))
          } catch (error) {
            if (error instanceof AegisError) return error
            throw error
          }
        }
      }
    })
  },
)
