import type { ControlPlane } from '@aegis/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { type ChaosHome, openChaosHome } from './chaos-home.ts'
import { firstEvent, historyOf } from './execution-history.ts'
import { watchForBoot } from './first-process.ts'
import { type HostProcess, sandboxProcesses } from './host-processes.ts'
import { leftoversOf } from './leftovers.ts'
import { shellAgent } from './small-agents.ts'

const reason = await whyNoProcessHost()

let home: ChaosHome
let plane: ControlPlane
beforeAll(async () => {
  if (reason !== undefined) return
  home = await openChaosHome()
  await home.start()
  plane = await home.connect()
  await plane.agents.deploy(shellAgent('waiting', 'echo up; exec sleep 1000'))
  await plane.agents.deploy(shellAgent('parent', 'echo up; sleep 1000; true'))
  await plane.agents.deploy(shellAgent('loud', 'exec yes'))
  await plane.agents.deploy(
    shellAgent('stubborn', 'test "$AEGIS_ITERATION" = 2 && exec cat; echo up; exec sleep 1000', {
      execution: { mode: 'iterative', max_retries: 3 },
    }),
  )
})
afterAll(() => home?.[Symbol.asyncDispose]())

describe.skipIf(reason !== undefined)(
  `a sandbox${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    // Nothing outlives the event that ends the execution.
    afterEach(async () => expect(await leftoversOf(home.mark)).toEqual([]))

    const lost = { cause: 'sandbox_lost' }
    const killed = { cause: 'exit_code', signal: 'KILL' }

    it.each([
      ['guest', isGuest, lost],
      ['bubblewrap', isBubblewrap, lost],
      ['agent', isAgent, killed],
    ])('whose %s is killed while it works ends the execution, with the cause', async (_, is, why) => {
      for (const agent of ['waiting', 'loud']) {
        const id = await plane.executions.execute(agent, '')
        await firstEvent(plane, id, 'execution.console')
        await kill(is)
        const history = await historyOf(plane, id)
        expect(history.at(-1), agent).toMatchObject({ type: 'execution.failed', failure: why })
      }
    })

    it('whose agent is killed does not wait for the children it leaves', async () => {
      const id = await plane.executions.execute('parent', '')
      await firstEvent(plane, id, 'execution.console')
      await kill(({ name }) => name === 'sh')
      const history = await historyOf(plane, id)
      expect(history.at(-1)).toMatchObject({ type: 'execution.failed', failure: killed })
    })

    it.each([
      'launch',
      'bwrap',
      'guest',
    ])('whose %s is killed during its boot ends the execution, with the cause', async (name) => {
      const id = await killDuringBoot((found) => found.startsWith(name))
      const history = await historyOf(plane, id)
      expect(history.at(-1)).toMatchObject({
        type: 'execution.failed',
        // The guest may have said hello just before.
        failure: { cause: expect.stringMatching(/^(boot_failed|sandbox_lost)$/) },
      })
    })

    it('that is lost fails its iteration alone: the next one has another', async () => {
      const id = await plane.executions.execute('stubborn', 'well')
      await firstEvent(plane, id, 'execution.console')
      await kill(isGuest)
      const history = await historyOf(plane, id)
      expect(history).toContainEqual(
        expect.objectContaining({ type: 'execution.iteration-failed', iteration: 1 }),
      )
      expect(history.at(-1)).toMatchObject({
        type: 'execution.completed',
        output: 'well',
        iterations: 2,
      })
    })

    it('that is killed leaves its neighbour alone', async () => {
      const lostId = await plane.executions.execute('waiting', '')
      await firstEvent(plane, lostId, 'execution.console')
      const victims = (await sandboxProcesses(home.mark)).filter(isGuest)
      const neighbourId = await plane.executions.execute('stubborn', 'unharmed')
      await firstEvent(plane, neighbourId, 'execution.console')
      for (const { pid } of victims) process.kill(pid, 'SIGKILL')
      await historyOf(plane, lostId)
      expect(await plane.executions.find(neighbourId)).toMatchObject({ status: 'running' })
      expect(await plane.executions.cancel(neighbourId)).toBe('cancelled')
      await historyOf(plane, neighbourId)
    })
  },
)

function isGuest({ name, innerPid }: HostProcess): boolean {
  return name === 'guest' && innerPid === 1
}

function isBubblewrap({ name }: HostProcess): boolean {
  return name === 'bwrap'
}

function isAgent(process: HostProcess): boolean {
  return !isGuest(process) && !isBubblewrap(process)
}

/** Kills what there is of this kind in the one sandbox that runs. */
async function kill(isVictim: (process: HostProcess) => boolean): Promise<void> {
  const victims = (await sandboxProcesses(home.mark)).filter(isVictim)
  expect(victims).not.toEqual([])
  for (const { pid } of victims) process.kill(pid, 'SIGKILL')
}

/** Executes until the process was there to be killed: the launcher lives for a millisecond or two. */
async function killDuringBoot(isVictim: (name: string) => boolean): Promise<string> {
  for (;;) {
    const catchProcess = watchForBoot(home.mark)
    const id = await plane.executions.execute('waiting', '')
    const pid = catchProcess(isVictim)
    if (pid !== undefined) {
      process.kill(pid, 'SIGKILL')
      return id
    }
    await plane.executions.cancel(id)
  }
}
