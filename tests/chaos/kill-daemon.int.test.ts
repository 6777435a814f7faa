import { setTimeout as delay } from 'node:timers/promises'
import type { ControlPlane, ExecutionEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { type ChaosHome, openChaosHome, ready } from './chaos-home.ts'
import { eventually } from './eventually.ts'
import { firstEvent, historyOf } from './execution-history.ts'
import { sandboxProcesses } from './host-processes.ts'
import { leftoversOf } from './leftovers.ts'
import { makePersistentClient, type PersistentClient, type Task } from './persistent-client.ts'
import { makeSeededRandom, type SeededRandom } from './seeded-random.ts'
import { shellAgent, smallAgents } from './small-agents.ts'
import { expectSoundStore } from './sound-store.ts'
import { untilTestEnds } from './until-test-ends.ts'

const reason = await whyNoProcessHost()
const lives = 22
const executions = 200
/** After so many the node suspects the execution itself. */
const maxInterruptions = 10

describe.skipIf(reason !== undefined)(
  `a killed daemon${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it(`brings each of ${executions} acknowledged executions to one end, through ${lives} kills`, {
      timeout: 180_000,
    }, async () => {
      const random = makeSeededRandom()
      const home = untilTestEnds(await openChaosHome())
      const plane = await firstLife(home)
      const client = makePersistentClient(plane)
      const submitted: Promise<void>[] = []
      for (let life = 0; life < lives; life++) {
        submitted.push(client.submit(tasksOf(life, random)))
        await liveAndDie(home, client, random)
      }
      const daemon = await home.start()
      client.resume()
      await Promise.all(submitted)

      expect(client.acknowledged.size).toBe(executions)
      let interruptions = 0
      for (const [id, task] of client.acknowledged) {
        const history = await historyOf(plane, id)
        interruptions += expectRightEnd(history, task)
      }
      expect(interruptions).toBeGreaterThan(0)
      await expectAllOver(plane)
      expect(await leftoversOf(home.mark)).toEqual([])
      daemon.child.kill('SIGTERM')
      expect(await daemon.ended).toMatchObject({ code: 0 })
      expect(await leftoversOf(home.mark)).toEqual([])
      await expectSoundStore(home.aegis.home)
    })

    it('takes the processes of its sandboxes along', async () => {
      const home = untilTestEnds(await openChaosHome())
      const daemon = await home.start()
      const plane = await home.connect()
      await plane.agents.deploy(shellAgent('lingering', 'echo up; sleep 1000'))
      const ids = await Promise.all([1, 2, 3].map(() => plane.executions.execute('lingering', '')))
      await Promise.all(ids.map((id) => firstEvent(plane, id, 'execution.console')))
      expect(await sandboxProcesses(home.mark)).not.toEqual([])
      daemon.child.kill('SIGKILL')
      await daemon.ended
      await eventually(async () => {
        const left = await sandboxProcesses(home.mark)
        return left.length === 0 ? true : undefined
      })
    })
  },
)

/** Agents are there before the dying begins. */
async function firstLife(home: ChaosHome): Promise<ControlPlane> {
  const daemon = await home.start()
  const plane = await home.connect()
  for (const { manifest } of smallAgents) await plane.agents.deploy(manifest)
  daemon.child.kill('SIGKILL')
  await daemon.ended
  return plane
}

/** Kills at any moment: most often of its work, but also of its start. */
async function liveAndDie(
  home: ChaosHome,
  client: PersistentClient,
  random: SeededRandom,
): Promise<void> {
  const daemon = home.launch()
  const isKilledEarly = random.below(4) === 0
  if (isKilledEarly) await delay(random.below(700))
  else {
    await daemon.said(ready)
    client.resume()
    await delay(random.below(1500))
  }
  daemon.child.kill('SIGKILL')
  expect(await daemon.ended).toMatchObject({ code: 'SIGKILL' })
}

/** The share of one life, in a few orders. */
function tasksOf(life: number, random: SeededRandom): readonly Task[] {
  const first = Math.floor((executions * life) / lives)
  const count = Math.floor((executions * (life + 1)) / lives) - first
  return Array.from({ length: count }, (_, index) => {
    const agent = smallAgents[random.below(smallAgents.length)]?.manifest.metadata.name ?? ''
    return { agent, input: `task ${first + index}` }
  })
}

/** How often it was interrupted: so often that it is given up only where the machine is slow. */
function expectRightEnd(history: readonly ExecutionEvent[], { agent, input }: Task): number {
  const interruptions = history.filter(({ type }) => type === 'execution.interrupted').length
  const small = smallAgents.find(({ manifest }) => manifest.metadata.name === agent)
  const last = history.at(-1)
  // The run after the last interruption may still come to its end.
  const end =
    interruptions === maxInterruptions && last?.type === 'execution.failed'
      ? { type: 'execution.failed', failure: { cause: 'interrupted' } }
      : { type: 'execution.completed', output: small?.outputFor(input) }
  expect(last, `${agent}, interrupted ${interruptions} times`).toMatchObject(end)
  return interruptions
}

/** Also of what was stored but whose acknowledgement was lost on the way. */
async function expectAllOver(plane: ControlPlane): Promise<void> {
  const all = await plane.executions.list({ limit: 1000 })
  expect(all.length).toBeGreaterThanOrEqual(executions)
  for (const { id } of all) await historyOf(plane, id)
}
