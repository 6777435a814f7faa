import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  agentId,
  type SandboxRuntime,
  type SandboxSnapshots,
  type SandboxSpec,
  type SnapshotSubject,
  sandboxId,
} from '@aegis/core'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFirecrackerRuntime } from './firecracker-runtime.ts'
import { openQemuMonitor } from './qemu/qemu-monitor.ts'
import { openSnapshotStore } from './snapshots/snapshot-store.ts'
import { hasQemu } from './testing/bare-machine.ts'
import { makeHostImage } from './testing/host-image.ts'
import { testKernel } from './testing/test-kernel.ts'

const never = new AbortController().signal

const subject: SnapshotSubject = {
  agentId: agentId('0f-agent'),
  agentRevision: 1,
  files: [{ path: '/workspace/context', content: Buffer.from('put in before') }],
  command: {
    argv: [
      'sh',
      '-c',
      'read task; echo $task; od -An -tx1 -N16 /dev/urandom; date +%s; cat context',
    ],
    env: { PATH: '/bin' },
    cwd: '/workspace',
  },
}

describe.skipIf(!(await hasQemu()))('snapshots of micro-VMs', () => {
  let directory: string
  let runtime: SandboxRuntime
  let snapshots: SandboxSnapshots
  let sandboxes = 0

  const spec = (own: Partial<SandboxSpec> = {}): SandboxSpec => ({
    id: sandboxId(`s-${++sandboxes}`),
    interpreter: { language: 'none', version: '', image: 'host' },
    limits: {
      cpuMillicores: 1000,
      memoryBytes: 48 << 20,
      diskBytes: 16 << 20,
      pids: 32,
      outputBytes: 1 << 20,
    },
    filesystem: { read: [], write: [], readOnly: false },
    onConnect: (_, stream) => stream.destroy(),
    ...own,
  })

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-snapshots-'))
    const buildDirectory = join(import.meta.dirname, '..', '..', 'build')
    const [kernel, guestPath, launcherPath] = await Promise.all([
      testKernel(),
      locateGuest({ buildDirectory }),
      locateLauncher({ buildDirectory }),
    ])
    const image = join(directory, 'image')
    await makeHostImage(image, ['sh', 'bash', 'cat', 'od', 'date'])
    const stateDirectory = join(directory, 'state')
    runtime = openFirecrackerRuntime({
      stateDirectory,
      guestPath,
      monitor: await openQemuMonitor({ stateDirectory, launcherPath, kvm: false }, never),
      kernel: async () => kernel,
      machineImages: {
        open: async () => ({
          path: image,
          fileSystem: 'erofs',
          env: {},
          async [Symbol.asyncDispose]() {},
        }),
      },
      snapshots: openSnapshotStore({
        directory: join(directory, 'snapshots'),
        key: async () => new Uint8Array(32).fill(7),
        most: 4,
      }),
    })
    if (runtime.snapshots === undefined) throw new Error('no snapshots')
    snapshots = runtime.snapshots
  })

  afterAll(async () => {
    await runtime[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  async function make(own = subject) {
    await using template = await snapshots.bootTemplate(spec(), never)
    await template.writeFiles(own.files, never)
    await template.exec(own.command, never)
    await template.keep(own, never)
    expect(await template.ended).toBeUndefined()
  }

  const left = async () => [
    ...(await readdir(join(directory, 'state', 'machines'))),
    ...(await readdir(join(directory, 'state', 'disks'))),
  ]

  it('come up as machines of their own, as often as they are asked for', async () => {
    await make()
    expect(await left()).toEqual([])
    const drawn = new Set<string | undefined>()
    for (const task of ['one', 'other']) {
      const restored = await snapshots.restore(subject, spec(), never)
      if (restored === undefined) throw new Error('nothing was kept')
      await using sandbox = restored.sandbox
      const { standby } = restored
      await standby.writeStdin(Buffer.from(`${task}\n`))
      const [said, random, seconds, context] = (await text(Readable.from(standby.stdout))).split(
        '\n',
      )
      expect([said, context]).toEqual([task, 'put in before'])
      drawn.add(random)
      expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(30)
      expect(await standby.exit).toMatchObject({ code: 0, cause: undefined })
      expect(sandbox.bootPhases).toHaveProperty('restore')
    }
    expect(drawn.size).toBe(2)
    expect(await left()).toEqual([])
  })

  it('reach what their own spec names, whatever the one that they were made of could', async () => {
    const script = 'read host; exec 3<>/dev/tcp/$host/80 && cat <&3'
    const argv = ['bash', '-c', script] as const
    const client = { ...subject, command: { ...subject.command, argv } }
    await make(client)
    const network = (name: string) => ({ names: [name], suffixes: [], ports: [80], proxy: false })
    const reached: unknown[] = []
    const denied: unknown[] = []
    for (const name of ['first.example', 'second.example']) {
      const own = spec({
        network: network(name),
        onConnect(target, stream) {
          reached.push(target)
          stream.write(Buffer.from('welcome'))
          stream.end()
        },
        onNotice: (notice) => denied.push(notice),
      })
      const restored = await snapshots.restore(client, own, never)
      if (restored === undefined) throw new Error('nothing was kept')
      await using _ = restored.sandbox
      await restored.standby.writeStdin(Buffer.from('first.example\n'))
      const said = await text(Readable.from(restored.standby.stdout))
      expect(said).toBe(name === 'first.example' ? 'welcome' : '')
    }
    expect(reached).toEqual([{ kind: 'tcp', host: 'first.example', port: 80 }])
    expect(denied).toContainEqual({ kind: 'dns-denied', name: 'first.example' })
  })

  it('are refused when a bit of the memory is another, and are gone', async () => {
    await make()
    {
      await using memory = await open(join(directory, 'snapshots', '0f-agent.1', 'memory'), 'r+')
      await memory.write(Buffer.from('!'), 0, 1, 8 << 20)
    }
    await expect(snapshots.restore(subject, spec(), never)).rejects.toMatchObject({
      code: 'snapshot.altered',
    })
    expect(await snapshots.has(subject)).toBe(false)
    expect(await snapshots.restore(subject, spec(), never)).toBeUndefined()
    expect(await left()).toEqual([])
  })

  it('are not made of a machine in which more runs than what waits', async () => {
    await using template = await snapshots.bootTemplate(spec(), never)
    await template.exec(subject.command, never)
    await template.exec({ ...subject.command, argv: ['cat'] }, never)
    await expect(template.keep(subject, never)).rejects.toMatchObject({ code: 'guest.busy' })
    expect(await snapshots.has(subject)).toBe(false)
  })
})
