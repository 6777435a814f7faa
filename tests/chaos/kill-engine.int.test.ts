import { setTimeout as delay } from 'node:timers/promises'
import type { ControlPlane, ExecutionEvent } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import type { Running } from '../e2e/aegis-command.ts'
import { whyNoEngine } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { type ChaosHome, openChaosHome } from './chaos-home.ts'
import { abandonedStarts, expectNothingLeft } from './engine-leftovers.ts'
import { killQuietly, runningSandboxes } from './engine-sandboxes.ts'
import { historyOf } from './execution-history.ts'
import { leftoversOf } from './leftovers.ts'
import { makePersistentClient, type PersistentClient, type Task } from './persistent-client.ts'
import { makeSeededRandom, type SeededRandom } from './seeded-random.ts'
import { smallAgents } from './small-agents.ts'
import { expectSoundStore } from './sound-store.ts'
import { untilTestEnds } from './until-test-ends.ts'

const reason = whyNoEngine()
const executions = 50

type Disturbance = 'daemon' | 'sandboxes' | 'engine' | 'both'
const disturbances: readonly Disturbance[] = [
  ...Array<Disturbance>(3).fill('daemon'),
  ...Array<Disturbance>(4).fill('sandboxes'),
  ...Array<Disturbance>(2).fill('engine'),
  'both',
]

describe.skipIf(reason !== undefined)(
  `what containers depend on${reason ? ` (${reason})` : ''}`,
  { timeout: 120_000 },
  () => {
    it(`may be killed while ${executions} executions go on: each has one end, and a true one`, async () => {
      const random = makeSeededRandom()
      const scene = await openScene(random)
      const { client, engine, home, plane, abandoned } = scene
      const submitted: Promise<void>[] = []
      for (const [wave, disturbance] of shuffled(disturbances, random).entries()) {
        submitted.push(client.submit(tasksOf(wave, random)))
        await delay(200 + random.below(1000))
        await scene.disturb(disturbance)
      }
      await Promise.all(submitted)

      expect(client.acknowledged.size).toBe(executions)
      for (const [id, task] of client.acknowledged) {
        expectTrueEnd(await historyOf(plane, id), task, scene)
      }
      for (const { id } of await plane.executions.list({ limit: 1000 })) await historyOf(plane, id)
      const again = await plane.executions.execute('sleeper', 'still at work')
      expect((await historyOf(plane, again)).at(-1)).toMatchObject({ output: 'still at work' })
      await expectNothingLeft(engine, { serving: true, abandoned })

      scene.daemon.child.kill('SIGTERM')
      expect(await scene.daemon.ended).toMatchObject({ code: 0 })
      await expectNothingLeft(engine, { abandoned })
      expect(await leftoversOf(home.mark)).toEqual([])
      await expectSoundStore(home.aegis.home)
    })
  },
)

/** When something was done to sandboxes, in milliseconds of the clock that events have. */
interface Harm {
  /** Undefined: to all that there were. */
  readonly sandboxId: string | undefined
  readonly fromMs: number
  readonly untilMs: number
}

interface Scene {
  readonly engine: TestEngine
  readonly home: ChaosHome
  readonly plane: ControlPlane
  readonly client: PersistentClient
  readonly harms: readonly Harm[]
  /** Processes of starts that the engine was killed in. */
  readonly abandoned: ReadonlySet<number>
  readonly daemon: Running
  disturb(what: Disturbance): Promise<void>
}

async function openScene(random: SeededRandom): Promise<Scene> {
  const engine = untilTestEnds(await openTestEngine())
  await engine.image('node')
  const home = untilTestEnds(await openChaosHome({ engine }))
  let daemon = await home.start()
  const plane = await home.connect()
  for (const { manifest } of smallAgents) await plane.agents.deploy(manifest)
  const client = makePersistentClient(plane)
  const harms: Harm[] = []
  const abandoned = new Set<number>()

  const killDaemon = async () => {
    daemon.child.kill('SIGKILL')
    await daemon.ended
  }
  const startDaemon = async () => {
    daemon = await home.start()
    client.resume()
  }
  const withoutEngine = async (meanwhile: () => Promise<void>) => {
    const fromMs = Date.now()
    await engine.kill()
    for (const pid of await abandonedStarts(engine)) abandoned.add(pid)
    await meanwhile()
    await engine.start()
    harms.push({ sandboxId: undefined, fromMs, untilMs: Date.now() })
    client.resume()
  }
  const killSandboxes = async () => {
    const victims = shuffled(await runningSandboxes(engine), random).slice(0, 1 + random.below(2))
    for (const { sandboxId, pid } of victims) {
      const atMs = Date.now()
      if (killQuietly(pid)) harms.push({ sandboxId, fromMs: atMs, untilMs: atMs })
    }
  }

  const ways: Readonly<Record<Disturbance, () => Promise<void>>> = {
    async daemon() {
      await killDaemon()
      await delay(random.below(300))
      await startDaemon()
    },
    sandboxes: killSandboxes,
    engine: () => withoutEngine(() => delay(random.below(1000))),
    both: () =>
      withoutEngine(async () => {
        await killDaemon()
        await startDaemon()
      }),
  }
  return {
    engine,
    home,
    plane,
    client,
    harms,
    abandoned,
    get daemon() {
      return daemon
    },
    disturb: (what) => ways[what](),
  }
}

/** What is asked for just before a disturbance: an engine that is away fails all that waits. */
function tasksOf(wave: number, random: SeededRandom): readonly Task[] {
  return Array.from({ length: executions / disturbances.length }, (_, index) => {
    const agent = smallAgents[random.below(smallAgents.length)]?.manifest.metadata.name ?? ''
    return { agent, input: `task ${wave} ${index}` }
  })
}

/** Either its output, or a failure that was done to it. */
function expectTrueEnd(
  history: readonly ExecutionEvent[],
  { agent, input }: Task,
  { harms }: Scene,
): void {
  const small = smallAgents.find(({ manifest }) => manifest.metadata.name === agent)
  const end = history.at(-1)
  if (end?.type === 'execution.completed') {
    expect(end.output).toBe(small?.outputFor(input))
    return
  }
  expect(end, agent).toMatchObject({
    type: 'execution.failed',
    failure: { cause: expect.stringMatching(/^(sandbox_lost|boot_failed|image_failed)$/) },
  })
  expect(
    harms.filter((harm) => isHarmTo(history, harm)),
    `why ${agent} failed: ${JSON.stringify(end)}`,
  ).not.toEqual([])
}

/** What the engine still does when it answers again. */
const afterEffectMs = 2000

/** Whether it fell into the time of the last iteration, and upon its sandbox where it had one. */
function isHarmTo(history: readonly ExecutionEvent[], harm: Harm): boolean {
  const began = history.findLast(({ type }) => type === 'execution.started')
  const booted = history.findLast((event) => event.type === 'execution.sandbox-booted')
  const end = history.at(-1)
  if (began === undefined || end === undefined) return false
  const overlaps =
    harm.fromMs <= Date.parse(end.at) && harm.untilMs + afterEffectMs >= Date.parse(began.at)
  return (
    overlaps &&
    (harm.sandboxId === undefined || booted === undefined || booted.sandboxId === harm.sandboxId)
  )
}

function shuffled<Item>(items: readonly Item[], random: SeededRandom): readonly Item[] {
  const rest = [...items]
  return items.flatMap(() => rest.splice(random.below(rest.length), 1))
}
