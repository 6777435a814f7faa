import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AegisError, agentId, type ControlPlane, type SandboxRuntime } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openRuntime } from '../contract/hosts/open-runtime.ts'
import { specWith } from '../contract/sandbox-driver.ts'
import type { Running } from '../e2e/aegis-command.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { imageDisk } from '../engine/image-disk.ts'
import { whyNoEngine, whyNoQemu } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'
import { type ChaosHome, openChaosHome } from './chaos-home.ts'
import { eventually } from './eventually.ts'
import { historyOf } from './execution-history.ts'
import { sandboxProcesses } from './host-processes.ts'
import { soonNothingIsLeft } from './leftovers.ts'
import { mountSmallDisk } from './small-disk.ts'

const reason = whyNoQemu() ?? whyNoEngine() ?? whyNotRoot()

/** Its bootstrap script waits for the prompt, and one sandbox of it is always kept. */
const agent = aManifest('kept', {
  runtime: { isolation: 'firecracker' },
  advanced: { warm_pool_size: 1 },
  resources: { cpu: 1000, memory: '64Mi', disk: '16Mi', timeout: '120s' },
})

describe.skipIf(reason)(
  `a snapshot in the making${reason ? ` (${reason})` : ''}`,
  { timeout: 120_000 },
  () => {
    let home: ChaosHome
    let daemon: Running
    let plane: ControlPlane
    let snapshots: string
    beforeAll(async () => {
      const engine = await sharedTestEngine()
      const [kernels] = await Promise.all([testKernel(), engine.image('node')])
      home = await openChaosHome({ engine, kernels, bootsAhead: true })
      snapshots = join(home.aegis.home, 'snapshots')
      daemon = await home.start()
      plane = await home.connect()
    }, 180_000)
    afterAll(async () => {
      daemon?.child.kill('SIGKILL')
      await daemon?.ended
      await home?.[Symbol.asyncDispose]()
    })

    const found = () => readdir(snapshots).catch(() => [])
    const untilFound = (pattern: RegExp) =>
      eventually(async () => {
        const names = await found()
        return names.length === 1 && pattern.test(names[0] ?? '') ? true : undefined
      }, 60_000)
    beforeEach(async () => {
      await plane.agents.deploy(agent)
      await untilFound(/^\.part-/)
    })
    afterEach(async () => {
      await plane.agents.remove('kept')
      await soonNothingIsLeft(home.machineMark)
      await eventually(async () => ((await found()).length === 0 ? true : undefined))
    })

    it('goes with its daemon, and the next one makes a whole one', async () => {
      daemon.child.kill('SIGKILL')
      await daemon.ended
      await eventually(async () => {
        const left = await sandboxProcesses(home.machineMark)
        return left.length === 0 ? true : undefined
      })
      expect(await found()).toEqual([expect.stringMatching(/^\.part-/)])
      daemon = await home.start()
      await daemon.said(/half a snapshot/)
      await untilFound(/^[^.]+\.\d+$/)
    })

    it('goes with its QEMU, and its agent boots', async () => {
      for (const { pid, name } of await sandboxProcesses(home.machineMark))
        if (name.startsWith('qemu-system')) process.kill(pid, 'SIGKILL')
      const id = await plane.executions.execute('kept', 'Hello')
      expect((await historyOf(plane, id)).at(-1)).toMatchObject({ type: 'execution.completed' })
    })
  },
)

describe.skipIf(reason)(
  `a snapshot on a disk that gets full${reason ? ` (${reason})` : ''}`,
  { timeout: 120_000 },
  () => {
    it('is not made, says so, and leaves nothing', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'aegis-full-'))
      await using undo = new AsyncDisposableStack()
      undo.defer(() => rm(directory, { recursive: true, force: true }))
      const disk = undo.use(await mountSmallDisk(directory, 200 << 20))
      const runtime = undo.use(await openMachines(directory))
      const { snapshots } = runtime
      if (snapshots === undefined) throw new Error('It makes no snapshots')
      const command = { argv: ['sh', '-c', 'read x'], env: { PATH: '/bin' }, cwd: '/' } as const
      const subject = { agentId: agentId('0f-a'), agentRevision: 1, files: [], command }
      {
        await using template = await snapshots.bootTemplate(small(), never)
        await template.exec(command, never)
        await disk.fill()
        await expect(template.keep(subject, never)).rejects.toThrow(AegisError)
      }
      expect(await snapshots.has(subject)).toBe(false)
      for (const place of ['snapshots', 'state/machines', 'state/disks'])
        expect(await readdir(join(directory, place)).catch(() => [])).toEqual([])
      await disk.free()
      await using template = await snapshots.bootTemplate(small(), never)
      await template.exec(command, never)
      await template.keep(subject, never)
      expect(await snapshots.has(subject)).toBe(true)
    })
  },
)

const never = new AbortController().signal

const small = () =>
  specWith({
    interpreter: { language: 'none', version: '', image: 'node' },
    limits: { memoryBytes: 48 << 20, diskBytes: 16 << 20 },
  })

async function openMachines(directory: string): Promise<SandboxRuntime> {
  const buildDirectory = fileURLToPath(new URL('../../node_modules/.cache/aegis', import.meta.url))
  const [guestPath, launcherPath, kernelDirectory, node] = await Promise.all([
    locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
    testKernel(),
    imageDisk('node'),
  ])
  const stateDirectory = join(directory, 'state')
  return openRuntime({
    runtime: 'firecracker',
    monitor: { stateDirectory, launcherPath, kvm: false },
    guestPath,
    kernelDirectory,
    images: { node },
    snapshotDirectory: join(directory, 'snapshots'),
    timing: {},
  })
}

/** Processes are told by their users. */
function whyNotRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'only root gives machines users of their own'
}
