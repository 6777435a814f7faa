import type { ExecutionEvent, ManifestRuntime, PullProgress } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import type { ImagePlaneHost, MemoryNodeOptions } from './control-plane-host.ts'
import { fakePullPhases } from './fake-image-store.ts'

/** What every control plane promises of images, the node itself and a client alike. */
export function describeControlPlaneImages(
  name: string,
  open: (options?: MemoryNodeOptions) => Promise<ImagePlaneHost>,
): void {
  describe(`images of a control plane: ${name}`, () => {
    it('pulls an image, says how far it is, and shows it', async () => {
      await using host = await open()
      const { images } = host.plane
      const published = host.images.publish('ghcr.io/acme/agent:1')
      const heard: PullProgress[] = []
      const pulled = await images.pull('ghcr.io/acme/agent:1', (one) => heard.push(one), forever)
      expect(pulled).toEqual(published)
      expect(heard.map(({ phase }) => phase)).toEqual(fakePullPhases)
      expect(heard[1]).toEqual({
        reference: 'ghcr.io/acme/agent:1',
        phase: 'downloading',
        layersDone: 0,
        layers: 2,
        downloadedBytes: 25_000_000,
        totalBytes: 50_000_000,
      })
      expect(await images.list()).toEqual([{ ...pulled, agents: [] }])
    })

    it('shows the images of agents and its own, and all others only when asked', async () => {
      await using host = await open()
      const { agents, images } = host.plane
      const built = host.images.build('node:24')
      const other = host.images.build('debian:12')
      await agents.deploy(inDocker('echo'))
      expect(await images.list()).toEqual([{ ...built, agents: ['echo'] }])
      expect(await images.list({ all: true })).toEqual([
        { ...built, agents: ['echo'] },
        { ...other, agents: [] },
      ])
    })

    it('tells apart why an image cannot be had', async () => {
      await using host = await open()
      host.images.forbid('secret:1')
      const pull = (reference: string) => host.plane.images.pull(reference, ignore, forever)
      const absent = { kind: 'not-found', code: 'image.absent' }
      await expect(pull('nothing:1')).rejects.toMatchObject(absent)
      await expect(pull('secret:1')).rejects.toMatchObject({ kind: 'denied', code: 'image.access' })
      const invalid = { kind: 'invalid', code: 'image.reference' }
      for (const reference of ['No Image', '-x', 'Python:3', 'a/../b', 'a:1@sha256:12']) {
        await expect(pull(reference)).rejects.toMatchObject(invalid)
      }
    })

    it('builds an image of an archive, says how far it is, and shows its disk', async () => {
      await using host = await open()
      const { images } = host.plane
      async function* archive(): AsyncIterable<Uint8Array> {
        for (let piece = 0; piece < 100; piece++) yield Buffer.alloc(10_000, piece)
      }
      const heard: PullProgress[] = []
      const hear = (progress: PullProgress) => heard.push(progress)
      const built = await images.build({ archive: archive(), name: 'mine:1' }, hear, forever)
      expect(built).toMatchObject({ references: ['mine:1'], disk: { alone: true, machines: 0 } })
      expect(heard).toMatchObject([{ phase: 'converting', downloadedBytes: 1_000_000 }])
      expect(await images.list()).toEqual([{ ...built, agents: [] }])
      expect(await images.prune()).toMatchObject({ freedBytes: 4096, kept: [] })
    })

    it('tells apart why an image cannot be built', async () => {
      await using host = await open()
      const { images } = host.plane
      async function* nothing(): AsyncIterable<Uint8Array> {}
      const build = (name: string) => images.build({ archive: nothing(), name }, ignore, forever)
      await expect(build('mine:1')).rejects.toMatchObject({ code: 'image.archive' })
      await expect(build('No Image')).rejects.toMatchObject({ code: 'image.reference' })
      const prepare = images.prepare('mine:1', ignore, forever)
      await expect(prepare).rejects.toMatchObject({ code: 'image.no-machines' })
    })

    it('gives a pull up when the signal is aborted, and says why', async () => {
      await using host = await open()
      host.images.stall('slow:1')
      const enough = new AbortController()
      const reason = new Error('enough')
      const pull = host.plane.images.pull('slow:1', () => enough.abort(reason), enough.signal)
      await expect(pull).rejects.toBe(reason)
      await host.images.abandoned
      expect(await host.plane.images.list({ all: true })).toEqual([])
    })

    it('prunes what it fetched and nobody needs, and says why the rest of that stays', async () => {
      await using host = await open()
      const { agents, images } = host.plane
      for (const reference of ['idle:1', 'used:1']) host.images.publish(reference)
      const built = host.images.build('debian:12')
      const idle = await images.pull('idle:1', ignore, forever)
      const used = await images.pull('used:1', ignore, forever)
      host.images.use(used.id)
      await agents.deploy(inDocker('echo'))
      const kept = [{ image: used, reason: `A container still needs the image ${used.id}.` }]
      expect(await images.prune()).toEqual({ removed: [idle], freedBytes: idle.sizeBytes, kept })
      expect(await images.prune()).toEqual({ removed: [], freedBytes: 0, kept })
      const left = (await images.list({ all: true })).map(({ id }) => id)
      expect(left).toContain(built.id)
      expect(left).toHaveLength(3)
      await agents.remove('echo')
      expect((await images.prune()).removed).toHaveLength(1)
    })

    it('says what is missing where nothing boots from images', async () => {
      await using host = await open({ runtimes: ['process'] })
      const missing = { kind: 'unsupported', code: 'image.no-engine' }
      await expect(host.plane.images.list()).rejects.toMatchObject(missing)
      await expect(host.plane.images.pull('a:1', ignore, forever)).rejects.toMatchObject(missing)
      await expect(host.plane.images.prune()).rejects.toMatchObject(missing)
    })
  })

  describe(`the image of an agent: ${name}`, () => {
    it('is pinned by the deploy, fetched with progress, and shown', async () => {
      await using host = await open()
      const { agents } = host.plane
      const { id, digests } = host.images.publish('node:24')
      const heard: string[] = []
      const result = await agents.deploy(inDocker('echo'), {
        onProgress: ({ phase }) => heard.push(phase),
      })
      expect(heard).toEqual(fakePullPhases)
      const image = { reference: 'node:24', id, digest: digests[0] }
      expect(result).toMatchObject({ revision: 1, changed: true, image })
      expect(await agents.find('echo')).toMatchObject({ image })
      expect(await agents.list()).toMatchObject([{ image }])
    })

    it('is nothing where the sandbox needs none', async () => {
      await using host = await open()
      const { agents } = host.plane
      expect(await agents.deploy(aManifest('echo'))).not.toHaveProperty('image')
      expect(await agents.find('echo')).not.toHaveProperty('image')
      expect(host.images.pulls).toEqual([])
    })

    it('is the one that the config of the node names for the language', async () => {
      await using host = await open({ config: { images: { javascript: 'acme/js:{version}' } } })
      host.images.publish('acme/js:24')
      const { image } = await host.plane.agents.deploy(inDocker('echo'))
      expect(image).toMatchObject({ reference: 'acme/js:24' })
    })

    it('stays the same when the tag moves and the manifest does not', async () => {
      await using host = await open()
      const { agents } = host.plane
      const first = await agents.deploy(inDocker('echo'))
      host.images.publish('node:24', '2')
      await host.plane.images.pull('node:24', ignore, forever)
      expect(await agents.deploy(inDocker('echo'))).toEqual({ ...first, changed: false })
    })

    it('is fetched again by its digest when a repeated deploy finds it gone', async () => {
      await using host = await open()
      const { agents } = host.plane
      const { image } = await agents.deploy(inDocker('echo'))
      host.images.publish('node:24', '2')
      await host.images.remove(image?.id ?? '', forever)
      expect(await agents.deploy(inDocker('echo'))).toMatchObject({ changed: false, image })
      expect(host.images.pulls).toEqual(['node:24', image?.digest])
    })

    it('is what the tag means now after a deploy with replace', async () => {
      await using host = await open()
      const { agents } = host.plane
      const first = await agents.deploy(inDocker('echo'))
      const { id } = host.images.publish('node:24', '2')
      const kept = await agents.deploy(inDocker('echo'), { replace: true })
      expect(kept).toEqual({ ...first, changed: false })
      await host.plane.images.pull('node:24', ignore, forever)
      const second = await agents.deploy(inDocker('echo'), { replace: true })
      expect(second).toMatchObject({ revision: 2, changed: true, image: { id } })
    })

    it('is looked for at every deploy when the policy is Always', async () => {
      await using host = await open()
      const { agents } = host.plane
      const manifest = inDocker('echo', { image_pull_policy: 'Always' })
      const first = await agents.deploy(manifest)
      expect(await agents.deploy(manifest)).toEqual({ ...first, changed: false })
      const { id } = host.images.publish('node:24', '2')
      expect(await agents.deploy(manifest)).toMatchObject({ revision: 2, image: { id } })
      expect(host.images.pulls).toHaveLength(3)
    })

    it('is never fetched when the policy is Never', async () => {
      await using host = await open()
      const { agents } = host.plane
      const manifest = inDocker('echo', { image_pull_policy: 'Never' })
      await expect(agents.deploy(manifest)).rejects.toMatchObject({
        kind: 'not-found',
        code: 'image.absent',
        message: expect.stringContaining('aegis image pull node:24'),
      })
      expect(host.images.pulls).toEqual([])
      expect(await agents.list()).toEqual([])
      const { id } = host.images.build('node:24')
      const { image } = await agents.deploy(manifest)
      expect(image).toEqual({ reference: 'node:24', id })
    })

    it.each([
      ['is not there', (host: ImagePlaneHost) => host.images.withdraw('node'), 'image.absent'],
      [
        'is not for this host',
        (host: ImagePlaneHost) => host.images.forbid('node:24'),
        'image.access',
      ],
    ])('refuses the deploy when it %s', async (_why, prepare, code) => {
      await using host = await open()
      prepare(host)
      const deploy = host.plane.agents.deploy(inDocker('echo'))
      await expect(deploy).rejects.toMatchObject({ code })
      expect(await host.plane.agents.list()).toEqual([])
    })

    it('is not fetched for a deploy that is refused anyway', async () => {
      await using host = await open()
      const { agents } = host.plane
      await agents.deploy(inDocker('echo'))
      const other = inDocker('echo', { version: '22' })
      await expect(agents.deploy(other)).rejects.toMatchObject({ code: 'agent.exists' })
      expect(host.images.pulls).toEqual(['node:24'])
    })

    it('is no longer fetched when the deploy is given up', async () => {
      await using host = await open()
      host.images.stall('node:24')
      const enough = new AbortController()
      const reason = new Error('enough')
      const deploy = host.plane.agents.deploy(inDocker('echo'), {
        onProgress: () => enough.abort(reason),
        signal: enough.signal,
      })
      await expect(deploy).rejects.toBe(reason)
      await host.images.abandoned
      expect(await host.plane.agents.list()).toEqual([])
    })
  })

  describe(`the image of an execution: ${name}`, () => {
    it('is there already, and then no event speaks of it but the boot', async () => {
      await using host = await open()
      await host.plane.agents.deploy(inDocker('echo'))
      const events = await run(host, 'echo')
      expect(events.filter(({ type }) => type.startsWith('execution.image'))).toEqual([])
      expect(events.at(-1)).toMatchObject({ type: 'execution.completed' })
    })

    it('is fetched by its digest when it is gone, whatever its tag means by now', async () => {
      await using host = await open()
      const { image } = await host.plane.agents.deploy(inDocker('echo'))
      host.images.publish('node:24', '2')
      await host.images.remove(image?.id ?? '', forever)
      const events = await run(host, 'echo')
      expect(events.find(({ type }) => type === 'execution.image-pulling')).toMatchObject({
        progress: { reference: image?.digest, phase: 'resolving' },
      })
      expect(events.find(({ type }) => type === 'execution.image-pulled')).toMatchObject({ image })
      expect(events.at(-1)).toMatchObject({ type: 'execution.completed', output: 'hi' })
      expect(host.images.pulls).toEqual(['node:24', image?.digest])
    })

    it('fails it with the reason, in one try, when it cannot be had', async () => {
      await using host = await open()
      const { image } = await host.plane.agents.deploy(
        inDocker('echo', {}, { execution: { mode: 'iterative', max_retries: 3 } }),
      )
      await host.images.remove(image?.id ?? '', forever)
      host.images.withdraw('node')
      const events = await run(host, 'echo')
      expect(events.at(-1)).toMatchObject({
        type: 'execution.failed',
        iterations: 0,
        failure: { cause: 'image_failed', message: `There is no image ${image?.digest}.` },
      })
    })

    it('is found by the language when the task alone asks for docker', async () => {
      await using host = await open()
      await host.plane.agents.deploy(aManifest('echo'))
      const events = await run(host, 'echo', 'docker')
      expect(events[0]).toMatchObject({ type: 'execution.queued', isolation: 'docker' })
      expect(events.find(({ type }) => type === 'execution.image-pulled')).toMatchObject({
        image: { reference: 'node:24' },
      })
      expect(events.at(-1)).toMatchObject({ type: 'execution.completed' })
    })
  })

  describe(`the isolation that a task asks for: ${name}`, () => {
    it('is refused when the operator does not permit it', async () => {
      await using host = await open({ config: { isolations: ['process'] } })
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo'))
      const execute = executions.execute('echo', 'hi', { isolation: 'docker' })
      await expect(execute).rejects.toMatchObject({ kind: 'denied', code: 'isolation.denied' })
      expect(await executions.list({})).toEqual([])
    })

    it('is refused when it is weaker than what the manifest asks for', async () => {
      await using host = await open(withFirecracker)
      const { agents, executions } = host.plane
      await agents.deploy(aManifest('echo', { runtime: { isolation: 'firecracker' } }))
      const execute = executions.execute('echo', 'hi', { isolation: 'process' })
      await expect(execute).rejects.toMatchObject({ kind: 'denied', code: 'isolation.weaker' })
      expect(await executions.list({})).toEqual([])
    })

    it('may be weaker where the operator allows it by name', async () => {
      await using host = await open({ ...withFirecracker, config: { allow_weaker: ['isolation'] } })
      await host.plane.agents.deploy(aManifest('echo', { runtime: { isolation: 'firecracker' } }))
      const events = await run(host, 'echo', 'process')
      expect(events[0]).toMatchObject({ isolation: 'process' })
    })

    it('may be stronger without asking anybody', async () => {
      await using host = await open(withFirecracker)
      await host.plane.agents.deploy(aManifest('echo', { runtime: { isolation: 'process' } }))
      const events = await run(host, 'echo', 'firecracker')
      expect(events[0]).toMatchObject({ isolation: 'firecracker' })
    })
  })
}

const forever = new AbortController().signal
const ignore = (): void => undefined
const withFirecracker: MemoryNodeOptions = { runtimes: ['process', 'firecracker'] }

const inDocker = (
  name: string,
  runtime: Partial<ManifestRuntime> = {},
  changes: Parameters<typeof aManifest>[1] = {},
) => aManifest(name, { ...changes, runtime: { isolation: 'docker', ...runtime } })

/** All events of one execution, once it has ended. */
async function run(
  { plane: { executions } }: ImagePlaneHost,
  agent: string,
  isolation?: 'process' | 'docker' | 'firecracker',
): Promise<readonly ExecutionEvent[]> {
  const id = await executions.execute(agent, 'hi', { isolation })
  const all = await Array.fromAsync(executions.events(id, { follow: true }, forever))
  return all.map(({ event }) => event)
}
