import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger, PullProgress } from '@aegis/core'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { whyNoEngine, whyNoRegistry } from '../../../tests/engine/requirements.ts'
import { sharedTestEngine } from '../../../tests/engine/shared-engine.ts'
import { type Engine, openTestEngine } from '../../../tests/engine/test-engine.ts'
import {
  openTestRegistry,
  registryCredentials,
  type TestRegistry,
} from '../../../tests/engine/test-registry.ts'
import { openEngineClient } from '../engine/engine-client.ts'
import { parseEngineEndpoint } from '../engine/engine-endpoint.ts'
import { putSignatures } from '../registry/testing/put-signatures.ts'
import { openImageStore } from './docker-image-store.ts'
import type { PullTiming } from './pull-image.ts'
import { openRegistryCredentials } from './registry-credentials.ts'
import { openFaultyProxy } from './testing/faulty-proxy.ts'
import { withFreshImage } from './testing/with-fresh-image.ts'

const why = whyNoEngine() ?? whyNoRegistry()
const signal = new AbortController().signal
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }
const quick: Partial<PullTiming> = { attempts: 3, backoffMs: 20, reportEveryMs: 1 }

let engine: Engine
let directory: string

const openStore = (timing = quick, host = engine.host) => {
  const client = openEngineClient(parseEngineEndpoint(host))
  const credentials = openRegistryCredentials({ directory, environment: {} })
  const store = openImageStore({
    engine: client,
    stateDirectory: join(directory, 'state'),
    credentials,
    logger: quiet,
    timing,
  })
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      client[Symbol.dispose]()
    },
  }
}

const pushFresh = (registry: TestRegistry, name: string, sizeBytes = 100_000) =>
  withFreshImage(engine, sizeBytes, (image) => registry.push(engine, image, name))

const noProgress = (): void => {}

describe.skipIf(why)(`the images of a Docker engine${why ? ` (${why})` : ''}`, () => {
  beforeAll(async () => {
    engine = await sharedTestEngine()
    await engine.image('tiny')
  }, 180_000)
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-images-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('lists and finds what others brought, by every name', async () => {
    await using store = openStore()
    const image = await store.find('tiny:1', signal)
    expect(image).toMatchObject({ references: ['tiny:1'], digests: [], pulled: false })
    expect(image?.id).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(image?.createdAt).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
    expect(await store.find('docker.io/library/tiny:1', signal)).toEqual(image)
    expect(await store.find(image?.id ?? '', signal)).toEqual(image)
    const listed = (await store.list(signal)).find(({ id }) => id === image?.id)
    expect(listed).toEqual(image)
    expect(listed?.sizeBytes).toBeGreaterThan(0)
  })

  it('finds nothing by the beginning of an id, nor by what is no name', async () => {
    await using store = openStore()
    const { id = '' } = (await store.find('tiny:1', signal)) ?? {}
    const short = id.slice('sha256:'.length, 'sha256:'.length + 12)
    for (const name of ['absent:1', short, '', '../info', 'a/../../version', 'a?b=c', 'UPPER'])
      expect(await store.find(name, signal)).toBeUndefined()
  })

  it('pulls an image, shows how, and knows it for its own', async () => {
    await using registry = await openTestRegistry()
    const { reference, digest } = await pushFresh(registry, 'team/agent:1', 3_000_000)
    await using store = openStore()
    const seen: PullProgress[] = []
    const image = await store.pull(reference, (progress) => seen.push(progress), signal)
    const pinned = `${registry.address}/team/agent@${digest}`
    expect(image).toMatchObject({ references: [reference], digests: [pinned], pulled: true })
    expect(seen.map(({ phase }) => phase)).toContain('downloading')
    expect(seen.at(0)).toMatchObject({ reference, phase: 'resolving', layers: 0 })
    expect(seen.at(-1)).toMatchObject({ phase: 'done', layers: 1, layersDone: 1 })
    expect(seen.at(-1)?.totalBytes).toBeGreaterThan(2_900_000)
    expect(await store.find(pinned, signal)).toEqual(image)

    await using later = openStore()
    expect((await later.list(signal)).filter(({ pulled }) => pulled)).toEqual([image])
    await later.remove(image.id, signal)
    await later.remove(image.id, signal)
    expect(await later.find(reference, signal)).toBeUndefined()

    const again = await later.pull(pinned, noProgress, signal)
    expect(again).toMatchObject({ id: image.id, references: [], pulled: true })
    await later.remove(image.id, signal)
    expect(await later.find(pinned, signal)).toBeUndefined()
  })

  it('hands out what cosign put beside an image, for keys to check', async () => {
    await using registry = await openTestRegistry()
    const { reference, digest } = await pushFresh(registry, 'team/agent:1')
    await using store = openStore()
    const image = await store.pull(reference, noProgress, signal)
    try {
      const [pinned = ''] = image.digests
      expect(await store.signatures(pinned, signal)).toEqual([])
      const made = [{ payload: Buffer.from('claim'), signature: Buffer.from('signature') }]
      await putSignatures(registry.address, 'team/agent', digest, made)
      expect(await store.signatures(pinned, signal)).toEqual(made)
    } finally {
      await store.remove(image.id, signal)
    }
  })

  it('does not take for its own what was there before', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await registry.push(engine, 'tiny:1', 'tiny:1')
    await using store = openStore()
    try {
      const image = await store.pull(reference, noProgress, signal)
      expect(image).toMatchObject({ pulled: false })
      expect(image.references.toSorted()).toEqual([reference, 'tiny:1'].toSorted())
    } finally {
      await engine.call('DELETE', `/images/${reference}`)
    }
  })

  it('removes all names that it gave, and none that somebody else gave', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1')
    await using store = openStore()
    const { id } = await store.pull(reference, noProgress, signal)
    await registry.push(engine, id, 'other/agent:2')
    const other = `${registry.address}/other/agent:2`
    await store.pull(other, noProgress, signal)
    await engine.call('POST', `/images/${id}/tag`, { query: { repo: 'theirs', tag: '1' } })
    const message = expect.stringContaining('theirs:1')
    await expect(store.remove(id, signal)).rejects.toMatchObject({ code: 'image.used', message })
    expect((await store.find(id, signal))?.references).toHaveLength(3)
    await engine.call('DELETE', '/images/theirs:1')
    await store.remove(id, signal)
    expect(await store.find(id, signal)).toBeUndefined()
  })

  it('keeps an image that a container needs', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1')
    await using store = openStore()
    const { id } = await store.pull(reference, noProgress, signal)
    const body = { Image: id, Cmd: ['x'] }
    const query = { name: 'images-needed' }
    await engine.call('POST', '/containers/create', { body, query })
    const message = expect.stringContaining('a container needs it: images-needed')
    await expect(store.remove(id, signal)).rejects.toMatchObject({
      kind: 'conflict',
      code: 'image.used',
      message,
    })
    await engine.call('DELETE', '/containers/images-needed')
    await store.remove(id, signal)
  })

  it('tells a wrong tag and a wrong name', async () => {
    await using registry = await openTestRegistry()
    await pushFresh(registry, 'agent:1')
    await using store = openStore()
    for (const name of ['agent:2', 'absent:1', `agent@sha256:${'0'.repeat(64)}`])
      await expect(
        store.pull(`${registry.address}/${name}`, noProgress, signal),
      ).rejects.toMatchObject({ kind: 'not-found', code: 'image.absent' })
  })

  it('shows credentials to the registry that they are for', async () => {
    await using registry = await openTestRegistry({ auth: true })
    const { reference } = await pushFresh(registry, 'agent:1')
    await using store = openStore()
    const pull = () => store.pull(reference, noProgress, signal)
    const message = expect.stringContaining(`docker login ${registry.address}`)
    await expect(pull()).rejects.toMatchObject({ kind: 'denied', code: 'image.access', message })

    const login = (auth: string) =>
      writeFile(
        join(directory, 'config.json'),
        JSON.stringify({ auths: { [registry.address]: { auth } } }),
      )
    await login(Buffer.from('tester:wrong').toString('base64'))
    await expect(pull()).rejects.toMatchObject({ code: 'image.access' })

    const { username, password } = registryCredentials
    await login(Buffer.from(`${username}:${password}`).toString('base64'))
    const image = await pull()
    expect(image).toMatchObject({ references: [reference], pulled: true })
    await store.remove(image.id, signal)
  })

  it('speaks of credentials that it cannot read where the registry wants some, only there', async () => {
    await using open = await openTestRegistry()
    await using closed = await openTestRegistry({ auth: true })
    const free = await pushFresh(open, 'agent:1')
    const guarded = await pushFresh(closed, 'agent:1')
    await writeFile(join(directory, 'config.json'), '{\n"auths": oops')
    await using store = openStore()
    const { id } = await store.pull(free.reference, noProgress, signal)
    await store.remove(id, signal)
    const message = expect.stringContaining(`${directory}/config.json:2 cannot be used`)
    await expect(store.pull(guarded.reference, noProgress, signal)).rejects.toMatchObject({
      code: 'image.access',
      message,
    })
  })

  it('says which registry nobody answers for, after it tried again', async () => {
    const registry = await openTestRegistry()
    const { address } = registry
    await registry[Symbol.asyncDispose]()
    await using store = openStore()
    const seen: PullProgress[] = []
    const pulling = store.pull(`${address}/agent:1`, (progress) => seen.push(progress), signal)
    const message = expect.stringContaining(`cannot be pulled from ${address}: nobody listens`)
    await expect(pulling).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'image.network',
      message,
    })
    expect(seen.filter(({ phase }) => phase === 'retrying')).toHaveLength(2)
  })

  it('tries again where a registry does not answer at first', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1')
    await using proxy = await openFaultyProxy(registry.address)
    proxy.cutAfter(0)
    await using store = openStore()
    const phases: PullProgress['phase'][] = []
    const image = await store.pull(
      reference.replace(registry.address, proxy.address),
      ({ phase }) => {
        phases.push(phase)
        if (phase === 'retrying') proxy.cutAfter(Number.POSITIVE_INFINITY)
      },
      signal,
    )
    expect(phases.filter((phase) => phase === 'retrying')).toHaveLength(1)
    await store.remove(image.id, signal)
  })

  it('goes on when the connection broke, until the image is there', async () => {
    await using registry = await openTestRegistry()
    const { reference, digest } = await pushFresh(registry, 'agent:1', 3_000_000)
    await using proxy = await openFaultyProxy(registry.address)
    proxy.cutAfter(1_000_000)
    await using store = openStore()
    const through = reference.replace(registry.address, proxy.address)
    const image = await store.pull(
      through,
      ({ phase }) => {
        if (phase === 'retrying') proxy.cutAfter(Number.POSITIVE_INFINITY)
      },
      signal,
    )
    expect(proxy.cuts).toBeGreaterThan(0)
    expect(image.digests).toEqual([`${proxy.address}/agent@${digest}`])
    await store.remove(image.id, signal)
  }, 60_000)

  it('gives up on a registry that does not go on', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1', 3_000_000)
    await using proxy = await openFaultyProxy(registry.address)
    proxy.stallAfter(1_000_000)
    await using store = openStore({ ...quick, stalledMs: 1_000 })
    const through = reference.replace(registry.address, proxy.address)
    const message = expect.stringContaining('brought nothing new for 1 seconds')
    await expect(store.pull(through, noProgress, signal)).rejects.toMatchObject({
      code: 'image.network',
      message,
    })
  })

  it('shares one pull of an image, and ends it when nobody waits any more', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1', 3_000_000)
    await using proxy = await openFaultyProxy(registry.address)
    proxy.stallAfter(1_000_000)
    await using store = openStore()
    const through = reference.replace(registry.address, proxy.address)
    const controllers = [new AbortController(), new AbortController()] as const
    const [first, second] = controllers.map((one) => store.pull(through, noProgress, one.signal))
    const reason = new Error('enough')
    await proxy.stalling()
    controllers[0].abort(reason)
    await expect(first).rejects.toBe(reason)
    expect(proxy.open).toBeGreaterThan(0)
    expect(proxy.stalls).toBe(1)
    controllers[1].abort(reason)
    await expect(second).rejects.toBe(reason)
    // The engine hangs up once it is no longer asked.
    await proxy.idle()
  })

  it('tells an engine that is down from a registry that is', async () => {
    await using store = openStore(quick, 'unix:///nonexistent/docker.sock')
    const unreachable = { kind: 'unavailable', code: 'engine.unreachable' }
    await expect(store.list(signal)).rejects.toMatchObject(unreachable)
    await expect(store.find('tiny:1', signal)).rejects.toMatchObject(unreachable)
    await expect(store.pull('tiny:1', noProgress, signal)).rejects.toMatchObject(unreachable)
    await expect(store.remove(`sha256:${'0'.repeat(64)}`, signal)).rejects.toMatchObject(
      unreachable,
    )
  })

  it('notices an engine that dies in the midst of a pull', async () => {
    await using mortal = await openTestEngine()
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1', 3_000_000)
    await using proxy = await openFaultyProxy(registry.address)
    proxy.stallAfter(1_000_000)
    await using store = openStore(quick, mortal.host)
    const through = reference.replace(registry.address, proxy.address)
    const pulling = store.pull(through, noProgress, signal)
    await proxy.stalling()
    await Promise.all([
      expect(pulling).rejects.toMatchObject({ code: 'engine.unreachable' }),
      mortal.kill(),
    ])
  }, 60_000)

  it('takes a damaged list of its images for an empty one', async () => {
    await using registry = await openTestRegistry()
    const { reference } = await pushFresh(registry, 'agent:1')
    await mkdir(join(directory, 'state'))
    const list = join(directory, 'state', 'pulled-images.json')
    await writeFile(list, '{"version":1,"images":[')
    await using store = openStore()
    expect((await store.list(signal)).some(({ pulled }) => pulled)).toBe(false)
    const { id } = await store.pull(reference, noProgress, signal)
    expect(JSON.parse(await readFile(list, 'utf8'))).toEqual({
      version: 1,
      images: { [id]: [reference] },
    })
    await engine.call('DELETE', `/images/${id}`)
    await store.list(signal)
    expect(JSON.parse(await readFile(list, 'utf8'))).toEqual({ version: 1, images: {} })
  })

  it('cannot pull by an id', async () => {
    await using store = openStore()
    await expect(store.pull(`sha256:${'0'.repeat(64)}`, noProgress, signal)).rejects.toMatchObject({
      kind: 'not-found',
      code: 'image.absent',
    })
  })
})
