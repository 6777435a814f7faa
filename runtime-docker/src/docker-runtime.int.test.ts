import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type SandboxRuntime, type SandboxSpec, sandboxId } from '@aegis/core'
import { locateGuest } from '@aegis/sandbox'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { whyNoEngine } from '../../tests/engine/requirements.ts'
import { sharedTestEngine } from '../../tests/engine/shared-engine.ts'
import { type Engine, openTestEngine } from '../../tests/engine/test-engine.ts'
import { makeOwner } from './container/owner.ts'
import { type DockerRuntimeOptions, openDockerRuntime } from './docker-runtime.ts'
import { openEngineClient } from './engine/engine-client.ts'
import { parseEngineEndpoint } from './engine/engine-endpoint.ts'

const never = new AbortController().signal
const MiB = 1 << 20
const buildDirectory = fileURLToPath(new URL('../../node_modules/.cache/aegis', import.meta.url))

async function makeHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-docker-'))
  onTestFinished(() => rm(home, { recursive: true }))
  return home
}

async function openRuntime(
  engine: string,
  home: string,
  more: Partial<DockerRuntimeOptions> = {},
): Promise<SandboxRuntime> {
  return openDockerRuntime({
    client: openEngineClient(parseEngineEndpoint(engine)),
    stateDirectory: home,
    guestPath: await locateGuest({ buildDirectory }),
    protectedPaths: [],
    hostPathsAreLocal: true,
    ...more,
  })
}

const specOf = (id: string, more: Partial<SandboxSpec> = {}): SandboxSpec => ({
  id: sandboxId(id),
  interpreter: { language: 'none', version: '', image: 'tiny:1' },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: 64 * MiB,
    diskBytes: 8 * MiB,
    pids: 32,
    outputBytes: MiB,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_, stream) => stream.destroy(),
  ...more,
})

describe('without an engine', () => {
  const nowhere = 'unix:///nowhere/docker.sock'

  it('a runtime opens, says what is missing, and boots nothing', async () => {
    await using runtime = await openRuntime(nowhere, await makeHome())
    const away = { kind: 'unavailable', code: 'engine.unreachable' }
    await expect(runtime.capabilities(never)).rejects.toMatchObject(away)
    await expect(runtime.boot(specOf('one'), never)).rejects.toMatchObject(away)
    const findings = await runtime.diagnose(never)
    expect(findings).toEqual([expect.objectContaining({ name: 'docker', state: 'missing' })])
  })

  it('a home that never used one has nothing to sweep, and asks nobody', async () => {
    await using runtime = await openRuntime(nowhere, await makeHome())
    expect(await runtime.sweep(never)).toEqual({ removed: [] })
  })
})

const why = whyNoEngine()

describe.skipIf(why)(`with an engine${why ? ` (${why})` : ''}`, () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await sharedTestEngine()
    await engine.image('tiny')
  }, 120_000)

  /** Names of all that bears our mark, of this home. */
  async function traces(of: Engine, home: string): Promise<readonly string[]> {
    const { prefix } = makeOwner(createHash('sha256').update(home).digest('hex').slice(0, 12))
    const containers = await of.call('GET', '/containers/json', { query: { all: '1' } })
    const volumes = await of.call('GET', '/volumes')
    return [...`${containers}${volumes}`.matchAll(/"\/?(aegis\.[^"]*)"/g)].flatMap(([, name]) =>
      name?.startsWith(prefix) ? [name] : [],
    )
  }

  it('boots a sandbox with its phases, and leaves nothing at the end', async () => {
    const home = await makeHome()
    const runtime = await openRuntime(engine.host, home)
    const sandbox = await runtime.boot(specOf('one'), never)
    expect(Object.keys(sandbox.bootPhases)).toEqual([
      'prepare',
      'create',
      'attach',
      'start',
      'hello',
    ])
    await runtime[Symbol.asyncDispose]()
    expect(await sandbox.ended).toBeUndefined()
    expect(await traces(engine, home)).toEqual([])
  })

  it('makes the guest’s volume again when somebody removed it', async () => {
    const home = await makeHome()
    await using runtime = await openRuntime(engine.host, home)
    await (await runtime.boot(specOf('one'), never))[Symbol.asyncDispose]()
    const [volume] = await traces(engine, home)
    await engine.call('DELETE', `/volumes/${volume}`)
    const names = ['two', 'three', 'four', 'five']
    const booted = await Promise.all(names.map((name) => runtime.boot(specOf(name), never)))
    expect(booted.map(({ id }) => id)).toEqual(names)
    await Promise.all(booted.map((sandbox) => sandbox[Symbol.asyncDispose]()))
  })

  it('blames an image that hides the guest, and lets others boot beside it', async () => {
    const home = await makeHome()
    await symlink('/tmp', join(home, '.aegis'))
    const query = { fromSrc: '-', repo: 'hider', tag: '1' }
    const { stdout: body } = spawn('tar', ['-c', '-C', home, '.aegis'])
    await engine.call('POST', '/images/create', { query, body })
    await using runtime = await openRuntime(engine.host, home)
    const hiding = specOf('bad', {
      interpreter: { language: 'none', version: '', image: 'hider:1' },
    })
    const [bad, ...good] = await Promise.allSettled([
      runtime.boot(hiding, never),
      ...['one', 'two', 'three'].map((name) => runtime.boot(specOf(name), never)),
    ])
    expect(bad.status).toBe('rejected')
    expect(good.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
  })

  it('sweeps what a killed predecessor left, and nothing of another home', async () => {
    const [home, other] = [await makeHome(), await makeHome()]
    await using neighbour = await openRuntime(engine.host, other)
    await using living = await neighbour.boot(specOf('theirs'), never)
    // Its process is gone as far as the next runtime can know: nobody disposed it.
    const killed = await openRuntime(engine.host, home)
    await killed.boot(
      specOf('left', { filesystem: { read: [], write: [], readOnly: true } }),
      never,
    )
    await using runtime = await openRuntime(engine.host, home)
    const { removed } = await runtime.sweep(never)
    expect(removed.length).toBe(4)
    expect(await runtime.sweep(never)).toEqual({ removed: [] })
    expect(await traces(engine, home)).toEqual([])
    expect((await living.stats(never)).pids).toBeGreaterThan(0)
    await killed[Symbol.asyncDispose]()
  })

  it('says so when a container is removed behind its back', async () => {
    await using runtime = await openRuntime(engine.host, await makeHome())
    await using sandbox = await runtime.boot(specOf('one'), never)
    const containers = await engine.call('GET', '/containers/json', {
      query: { filters: '{"name":["\\\\.one$"]}' },
    })
    const [found] = JSON.parse(containers)
    await engine.call('DELETE', `/containers/${found.Id}`, { query: { force: '1' } })
    expect(await sandbox.ended).toBe('sandbox_lost')
    await expect(sandbox.stats(never)).rejects.toMatchObject({ code: 'sandbox.ended' })
  })

  it('refuses paths of this machine for an engine that does not see them', async () => {
    const home = await makeHome()
    await using runtime = await openRuntime(engine.host, home, { hostPathsAreLocal: false })
    const filesystem = { read: ['/usr'], write: [], readOnly: false }
    await expect(runtime.boot(specOf('one', { filesystem }), never)).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'filesystem.remote',
    })
  })

  it('survives an engine that is killed and comes back, and leaves nothing on it', async () => {
    const home = await makeHome()
    await using own = await openTestEngine()
    await own.image('tiny')
    const runtime = await openRuntime(own.host, home)
    const sandbox = await runtime.boot(specOf('one'), never)
    await own.kill()
    expect(await sandbox.ended).toBe('sandbox_lost')
    // Does not wait for an engine that may never come back.
    await sandbox[Symbol.asyncDispose]()
    await expect(runtime.boot(specOf('two'), never)).rejects.toMatchObject({ kind: 'unavailable' })
    await own.start()
    await using after = await runtime.boot(specOf('three'), never)
    expect((await after.stats(never)).pids).toBeGreaterThan(0)
    await expect
      .poll(() => traces(own, home), { timeout: 20_000, interval: 100 })
      .not.toContainEqual(expect.stringMatching(/\.one$/))
    await runtime[Symbol.asyncDispose]()
    expect(await traces(own, home)).toEqual([])
  }, 60_000)

  it('sweeps as soon as an engine that was away at the start answers', async () => {
    const home = await makeHome()
    await using own = await openTestEngine()
    await own.image('tiny')
    const killed = await openRuntime(own.host, home)
    await killed.boot(specOf('left'), never)
    await own.kill()
    await killed[Symbol.asyncDispose]()
    await using runtime = await openRuntime(own.host, home)
    expect(await runtime.sweep(never)).toEqual({ removed: [] })
    await own.start()
    await runtime.capabilities(never)
    await expect.poll(() => traces(own, home), { timeout: 20_000, interval: 100 }).toEqual([])
  }, 60_000)
})
