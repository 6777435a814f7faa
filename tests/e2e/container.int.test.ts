import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../chaos/eventually.ts'
import { whyNoEngine } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { type AegisContainer, openAegisContainer } from './aegis-container.ts'
import { buildAegisImage } from './aegis-image.ts'
import { writeCommandAgent } from './docker-command.ts'
import { type OwnedThing, ownedThings } from './owned-things.ts'
import { json, ok } from './product-commands.ts'
import { followTask, printedTo } from './told-events.ts'

const reason = whyNoEngine()
const timeout = 90_000
/** For what takes a second on a machine that does nothing else. */
const patienceMs = 30_000
const demoAgents = '/usr/local/lib/package/demo-agents'

let engine: TestEngine
let aegis: AegisContainer
let neighbour: AegisContainer
beforeAll(async () => {
  if (reason !== undefined) return
  engine = await openTestEngine()
  const image = await buildAegisImage(engine)
  aegis = await openAegisContainer(engine, image)
  neighbour = await openAegisContainer(engine, image)
}, 180_000)
afterAll(async () => {
  await neighbour?.[Symbol.asyncDispose]()
  await aegis?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

/** Begins a task that goes on, and gives its id once it runs. */
async function startSleeper(node: AegisContainer): Promise<string> {
  const command = ['/bin/sh', '-c', 'echo asleep; sleep 50; true']
  await ok(node, 'agent', 'deploy', await writeCommandAgent(node, { name: 'sleeper', command }))
  const started = await json<{ execution_id: string }>(node, 'task', 'execute', 'sleeper')
  const id = started.execution_id
  const isAsleep = async () =>
    (await ok(node, 'task', 'logs', id)).includes('asleep') ? true : undefined
  await eventually(isAsleep, patienceMs)
  return id
}

interface Status {
  readonly pid: number
  readonly sandboxes: { readonly warm: number }
}

const statusOf = (node: AegisContainer): Promise<Status> => json(node, 'daemon', 'status')

const runningIn = (things: readonly OwnedThing[]): readonly OwnedThing[] =>
  things.filter(({ part, state }) => part === 'sandbox' && state === 'running')

describe.skipIf(reason !== undefined)(
  `AEGIS in a container${reason ? ` (${reason})` : ''}`,
  { timeout },
  () => {
    it('becomes healthy as a user without rights, on a root that cannot be written to', async () => {
      await aegis.untilHealthy()
      const { stdout } = await aegis.exec('cat', '/proc/self/status')
      expect(stdout).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m)
      expect(stdout).toMatch(/^CapBnd:\t0{16}$/m)
      expect(stdout).toMatch(/^NoNewPrivs:\t1$/m)
      expect(await aegis.exec('touch', '/etc/aegis/new')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('Read-only file system'),
      })
    })

    it('finds that it can isolate agents in containers, and asks for no other way', async () => {
      const doctor = await json<object>(aegis, 'doctor')
      expect(doctor).toMatchObject({ can_isolate: true, isolations: ['docker'] })
      const states = JSON.stringify(doctor).match(/"state":"\w+"/g)
      expect(new Set(states)).toEqual(new Set(['"state":"ok"']))
    })

    it('runs agents in containers beside its own, which wait for those that are in use', async () => {
      await ok(aegis, 'agent', 'deploy', `${demoAgents}/greeter/agent.yaml`)
      const greet = (whom: string) => followTask(aegis, 'greeter', '--input', whom)
      for (const { code, events } of await Promise.all([greet('Ada'), greet('Grace')])) {
        expect(code).toBe(0)
        expect(printedTo('stdout', events)).toMatch(/Ada|Grace/)
      }
      const isWarm = async () => ((await statusOf(aegis)).sandboxes.warm > 0 ? true : undefined)
      await eventually(isWarm, patienceMs)
      const waiting = runningIn(await ownedThings(engine))
      expect(waiting).not.toEqual([])
      const { code, events } = await greet('Barbara')
      expect(code).toBe(0)
      const booted = events.find(({ type }) => type === 'execution.sandbox-booted')
      expect(booted).toMatchObject({ isolation: 'docker', warm: true })
      expect(printedTo('stdout', events)).toContain('Barbara')
    })

    it('denies an agent all that snoop tries', async () => {
      const snoop = await followTask(aegis, `${demoAgents}/snoop/agent.yaml`)
      expect(printedTo('stdout', snoop.events)).toMatch(
        /\nsnoop: (\d+) attempts, \1 denied, 0 reached\n$/,
      )
    })

    it('is found unhealthy when the daemon hangs', async () => {
      const { Config } = await aegis.inspect()
      const [kind, check = ''] = Config.Healthcheck.Test
      expect(kind).toBe('CMD-SHELL')
      expect(await aegis.exec('sh', '-c', check)).toMatchObject({ code: 0 })
      const { pid } = await statusOf(aegis)
      await aegis.exec('sh', '-c', `kill -STOP ${pid}`)
      expect(await aegis.exec('sh', '-c', check)).toMatchObject({ code: 1 })
      await aegis.exec('sh', '-c', `kill -CONT ${pid}`)
    })

    it('is started again when it is killed: no agent of it stays, and none of its neighbour goes', async () => {
      await neighbour.untilHealthy()
      const others = new Set((await ownedThings(engine)).map(({ owner }) => owner))
      const [task] = await Promise.all([startSleeper(aegis), startSleeper(neighbour)])
      const before = await ownedThings(engine)
      const lost = before.filter(({ owner }) => others.has(owner))
      const kept = before.filter(({ owner }) => !others.has(owner))
      expect(runningIn(lost)).not.toEqual([])
      expect(runningIn(kept)).not.toEqual([])

      process.kill((await aegis.inspect()).State.Pid, 'SIGKILL')
      const areGone = async () => {
        const left = new Set((await ownedThings(engine)).map(({ id }) => id))
        return lost.some(({ id }) => left.has(id)) ? undefined : true
      }
      await eventually(areGone, patienceMs)
      await aegis.untilHealthy()
      expect((await aegis.inspect()).RestartCount).toBe(1)
      const takenUp = async () => {
        const running = runningIn(await ownedThings(engine))
        return running.some(({ owner }) => others.has(owner)) ? true : undefined
      }
      await eventually(takenUp, patienceMs)
      expect(await ownedThings(engine)).toEqual(expect.arrayContaining([...kept]))
      await ok(aegis, 'task', 'cancel', task)
    })

    it('leaves nothing on the engine but itself when it is stopped', async () => {
      await Promise.all([aegis.stop(), neighbour.stop()])
      for (const node of [aegis, neighbour]) {
        expect((await node.inspect()).State).toMatchObject({ Running: false, ExitCode: 0 })
      }
      expect(await ownedThings(engine)).toEqual([])
      const { Volumes: volumes } = JSON.parse(await engine.call('GET', '/volumes'))
      const homes = [aegis.volume, neighbour.volume].sort()
      expect(volumes.map(({ Name }: { Name: string }) => Name).sort()).toEqual(homes)
      const query = { all: 'true' }
      const containers = JSON.parse(await engine.call('GET', '/containers/json', { query }))
      expect(containers).toHaveLength(2)
    })
  },
)
