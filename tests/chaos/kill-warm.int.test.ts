import type { ControlPlane, ExecutionEvent, SandboxStatus } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { whyNoEngine } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { openChaosHome } from './chaos-home.ts'
import { expectNothingLeft } from './engine-leftovers.ts'
import { killQuietly, runningSandboxes } from './engine-sandboxes.ts'
import { eventually } from './eventually.ts'
import { forever, historyOf } from './execution-history.ts'
import { leftoversOf } from './leftovers.ts'
import { makeSeededRandom } from './seeded-random.ts'
import { untilTestEnds } from './until-test-ends.ts'

const reason = whyNoEngine()
const rounds = 6

const advanced = { warm_pool_size: 2 }
const resources = { cpu: 500, memory: '128Mi', disk: '16Mi', timeout: '60s' } as const
/** Its bootstrap script already waits for the prompt. */
const scripted = aManifest('scripted', { advanced, resources })
/** Its command starts with the task. */
const plain = aManifest('plain', { advanced, resources, task: { command: ['/bin/cat'] } })
const agents = [scripted, plain]

describe.skipIf(reason !== undefined)(
  `containers that wait for a task${reason ? ` (${reason})` : ''}`,
  { timeout: 120_000 },
  () => {
    it('may be killed, and their daemon too: no task fails, and nothing is left', async () => {
      const random = makeSeededRandom()
      const engine = untilTestEnds(await openTestEngine())
      await engine.image('node')
      const home = untilTestEnds(await openChaosHome({ engine, bootsAhead: true }))
      let daemon = await home.start()
      const plane = await home.connect()
      for (const manifest of agents) await plane.agents.deploy(manifest)

      const histories: (readonly ExecutionEvent[])[] = []
      for (let round = 0; round < rounds; round++) {
        const warm = await warmSandboxes(plane)
        if (round % 3 === 2) {
          daemon.child.kill('SIGKILL')
          await daemon.ended
          daemon = await home.start()
        } else {
          await kill(engine, warm, () => random.below(3))
        }
        // At once, so that some are claimed before their end is noticed.
        const inputs = [1, 2, 3].map(
          (index) => `Repeat the input back verbatim. Input: ${round} ${index}`,
        )
        const tasks = inputs.flatMap((input) =>
          agents.map(({ metadata }) => [metadata.name, input] as const),
        )
        const ids = await Promise.all(
          tasks.map(([name, input]) => plane.executions.execute(name, input)),
        )
        histories.push(...(await Promise.all(ids.map((id) => historyOf(plane, id)))))
      }

      for (const history of histories) {
        expect(history.at(-1), JSON.stringify(history)).toMatchObject({
          type: 'execution.completed',
          output: expect.stringMatching(/\d \d\n?$/),
          iterations: 1,
        })
      }
      expect(histories.flat()).toContainEqual(
        expect.objectContaining({ type: 'execution.sandbox-booted', warm: true }),
      )
      await warmSandboxes(plane)
      daemon.child.kill('SIGTERM')
      expect(await daemon.ended).toMatchObject({ code: 0 })
      await expectNothingLeft(engine)
      expect(await leftoversOf(home.mark)).toEqual([])
    })
  },
)

/** Waits until each agent has as many as it asks for. */
async function warmSandboxes(plane: ControlPlane): Promise<readonly SandboxStatus[]> {
  return eventually(async () => {
    const all = await plane.sandboxes.list(forever)
    const warm = all.filter(({ state }) => state === 'warm')
    const enough = agents.every(
      ({ metadata }) => warm.filter(({ agentName }) => agentName === metadata.name).length >= 2,
    )
    return enough && warm.length === all.length ? warm : undefined
  }, 30_000)
}

/** 0: spares it; 1: its first process; 2: the others, where it has any. */
async function kill(
  engine: TestEngine,
  warm: readonly SandboxStatus[],
  choose: () => number,
): Promise<void> {
  const running = await runningSandboxes(engine)
  const victims = running.filter(({ sandboxId }) => warm.some(({ id }) => id === sandboxId))
  expect(victims).not.toEqual([])
  for (const { pid, children } of victims) {
    const choice = choose()
    if (choice === 1) killQuietly(pid)
    if (choice === 2) for (const child of children) killQuietly(child)
  }
}
