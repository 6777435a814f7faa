import { createReadStream } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { imageTar } from '../engine/image-cache.ts'
import { whyNoEngine, whyNoGvisor, whyNoRegistry } from '../engine/requirements.ts'
import { openTestEngine, type TestEngine } from '../engine/test-engine.ts'
import { openTestRegistry, type PushedImage, type TestRegistry } from '../engine/test-registry.ts'
import type { AegisCommand } from './aegis-command.ts'
import { openDockerCommand, writeCommandAgent } from './docker-command.ts'
import { fails, json, ok } from './product-commands.ts'
import { followTask, printedTo } from './told-events.ts'

const reason = whyNoEngine() ?? whyNoRegistry()
const timeout = 60_000

let engine: TestEngine
let registry: TestRegistry
let aegis: AegisCommand
let remote: PushedImage
beforeAll(async () => {
  if (reason !== undefined) return
  engine = await openTestEngine()
  registry = await openTestRegistry()
  remote = await publish('team/tiny:1')
  await engine.image('node')
  aegis = await openDockerCommand(engine)
  await ok(aegis, 'daemon', 'start', '--port', String(aegis.port))
}, 180_000)
afterAll(async () => {
  await aegis?.[Symbol.asyncDispose]()
  await registry?.[Symbol.asyncDispose]()
  await engine?.[Symbol.asyncDispose]()
})

/** Puts an image with neither interpreter nor shell into the registry; the engine keeps none of it. */
async function publish(name: string): Promise<PushedImage> {
  const body = createReadStream(await imageTar('tiny'))
  const query = { fromSrc: '-', repo: 'fresh', tag: '1', changes: `LABEL name=${name}` }
  await engine.call('POST', '/images/create', { query, body })
  const pushed = await registry.push(engine, 'fresh:1', name)
  await engine.call('DELETE', '/images/fresh:1')
  return pushed
}

interface ImageLine {
  readonly references: readonly string[]
  readonly pulled: boolean
  readonly agents: readonly string[]
}

interface TopLook {
  readonly sandboxes: readonly {
    readonly execution_id: string
    readonly stats: Readonly<Record<string, number>>
  }[]
}

const namesOf = (images: readonly ImageLine[]): readonly string[] =>
  images.flatMap(({ references }) => references)

describe.skipIf(reason !== undefined)(
  `with a Docker engine, aegis${reason ? ` (${reason})` : ''}`,
  { timeout },
  () => {
    it('fetches the image at the deploy, shows how far it is, and pins its digest', async () => {
      const path = await writeCommandAgent(aegis, {
        name: 'speaker',
        command: ['tiny', 'echo', 'hello', 'there'],
        runtime: { language: 'none', image: remote.reference },
      })
      const deployed = await aegis.run('agent', 'deploy', path)
      expect(deployed, deployed.stderr).toMatchObject({ code: 0 })
      const name = remote.reference.replace(/:\d+$/, '')
      expect(deployed.stdout).toContain(`\nImage: ${remote.reference} (${name}@${remote.digest})\n`)
      expect(deployed.stderr).toContain(remote.reference)
      expect(deployed.stderr.split('\n').length).toBeGreaterThan(1)
    })

    it('runs the command of an agent whose image has no interpreter', async () => {
      expect(await ok(aegis, 'task', 'execute', 'speaker', '--wait')).toBe('hello there\n')
    })

    it('lists and pulls images, and prunes those that no agent needs', async () => {
      const spare = await publish('team/spare:2')
      const images = () => json<readonly ImageLine[]>(aegis, 'image', 'list')
      expect(namesOf(await images())).toEqual([remote.reference])
      const pulled = await aegis.run('image', 'pull', spare.reference)
      expect(pulled, pulled.stderr).toMatchObject({ code: 0 })
      expect(pulled.stdout).toContain(`@${spare.digest}\n`)
      const both = await images()
      expect(
        both.map(({ references, pulled, agents }) => [...references, pulled, ...agents]),
      ).toEqual(
        expect.arrayContaining([
          [spare.reference, true],
          [remote.reference, true, 'speaker'],
        ]),
      )
      await fails(aegis, 2, /--yes/, 'image', 'prune')
      expect(await ok(aegis, 'image', 'prune', '--yes')).toContain(`Removed ${spare.reference}`)
      expect(namesOf(await images())).toEqual([remote.reference])
      // What somebody else put there is not for this node to remove.
      expect(namesOf(await json(aegis, 'image', 'list', '--all'))).toContain('node:18')
    })

    it('says which image is not to be had, and fetches none that it must not', async () => {
      const absent = await writeCommandAgent(aegis, {
        name: 'absent',
        command: ['true'],
        runtime: { image: `${registry.address}/team/none:1` },
      })
      await fails(aegis, 4, /team\/none:1/, 'agent', 'deploy', absent)
      const never = await writeCommandAgent(aegis, {
        name: 'never',
        command: ['true'],
        runtime: { image: `${registry.address}/team/spare:2`, image_pull_policy: 'Never' },
      })
      await fails(aegis, 4, /not on this host.*aegis image pull/, 'agent', 'deploy', never)
      await fails(aegis, 4, /team\/none:1/, 'image', 'pull', `${registry.address}/team/none:1`)
    })

    it('shows what a container uses while it runs', async () => {
      const sleeper = { name: 'sleeper', command: ['/bin/sh', '-c', 'echo up; sleep 60; true'] }
      const path = await writeCommandAgent(aegis, sleeper)
      const following = aegis.start('task', 'execute', path, '--follow')
      await following.said(/stdout +\| up/)
      const look = await json<TopLook>(aegis, 'task', 'top', '--once')
      const own = { isolation: 'docker', state: 'hot', agent_name: 'sleeper' }
      expect(look.sandboxes).toMatchObject([{ ...own, limits: { cpu_millicores: 250 } }])
      const [sandbox] = look.sandboxes
      expect(sandbox?.stats).toMatchObject({
        cpu_ms: expect.toSatisfy((value) => value > 0),
        memory_bytes: expect.toSatisfy((value) => value > 0 && value < 128 << 20),
        // The guest, the shell and its child.
        pids: 3,
      })
      await ok(aegis, 'task', 'cancel', sandbox?.execution_id ?? '')
      expect((await following.ended).code).toBe(5)
    })

    it('runs on gVisor what asks for it, and on nothing less', async (context) => {
      const why = whyNoGvisor()
      if (why !== undefined) context.skip(why)
      const path = await writeCommandAgent(aegis, {
        name: 'guarded',
        command: ['cat', '/proc/version'],
        runtime: { isolation: 'inherit', sandbox: 'gvisor' },
      })
      const { code, events } = await followTask(aegis, path)
      expect({ code, events }).toMatchObject({
        code: 0,
        events: expect.arrayContaining([
          expect.objectContaining({
            type: 'execution.sandbox-booted',
            applicationKernel: 'gvisor',
          }),
        ]),
      })
      expect(printedTo('stdout', events)).toMatch(/^Linux version 4\.4\.0 /)
      const weaker = ['task', 'execute', path, '--wait', '--isolation', 'process'] as const
      await fails(aegis, 1, /sandbox: gvisor needs isolation docker/, ...weaker)
    })

    it('says that the engine is away and what to do, and goes on when it is back', async () => {
      await engine.kill()
      const away = /Docker engine at .*sock cannot be reached: .* Start Docker/
      await fails(aegis, 1, away, 'image', 'list')
      const spare = { name: 'late', command: ['true'], runtime: { image_pull_policy: 'Always' } }
      await fails(aegis, 1, away, 'agent', 'deploy', await writeCommandAgent(aegis, spare))
      const ran = await aegis.run('task', 'execute', 'speaker', '--wait')
      expect(ran).toMatchObject({ code: 5, stdout: '' })
      expect(ran.stderr).toMatch(away)
      await engine.start()
      expect(await ok(aegis, 'task', 'execute', 'speaker', '--wait')).toBe('hello there\n')
    })
  },
)

describe('without a Docker engine, aegis', { timeout }, () => {
  it('says so, with the remedy, to who deploys or executes', async () => {
    await using away = await openDockerCommand({ socketPath: '/nonexistent/docker.sock' })
    const path = await writeCommandAgent(away, { name: 'boxed', command: ['true'] })
    const why =
      /Docker engine at .*docker\.sock cannot be reached: there is no socket\. Start Docker/
    await fails(away, 1, why, 'agent', 'deploy', path)
    await fails(away, 1, why, 'task', 'execute', path, '--wait')
    expect(await ok(away, 'agent', 'list')).toContain('Deploy one')
  })

  it('refuses an isolation that the operator does not permit', async () => {
    const socketPath = '/nonexistent/docker.sock'
    await using strict = await openDockerCommand({ socketPath }, { isolations: ['process'] })
    const open = await writeCommandAgent(strict, {
      name: 'open',
      command: ['true'],
      runtime: { isolation: 'inherit' },
    })
    const asked = ['task', 'execute', open, '--isolation', 'docker'] as const
    await fails(strict, 1, /does not permit isolation docker.*isolations/, ...asked)
    const boxed = await writeCommandAgent(strict, { name: 'boxed', command: ['true'] })
    await fails(strict, 1, /no docker runtime \(it has: process\)/, 'agent', 'deploy', boxed)
    const guarded = await writeCommandAgent(strict, {
      name: 'guarded',
      command: ['true'],
      runtime: { isolation: 'inherit', sandbox: 'gvisor' },
    })
    await fails(strict, 1, /no docker runtime \(it has: process\)/, 'agent', 'deploy', guarded)
  })
})
