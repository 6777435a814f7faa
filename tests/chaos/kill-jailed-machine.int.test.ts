import { type ChildProcess, fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sandboxId } from '@aegis/core'
import { type MachinePlan, openFirecrackerMonitor } from '@aegis/runtime-firecracker'
import { type FakeVmmPlan, makeFakeVmm } from '@aegis/runtime-firecracker/testing'
import { locateLauncher } from '@aegis/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from './eventually.ts'
import { forever } from './execution-history.ts'
import { type HomeMark, sandboxProcesses } from './host-processes.ts'
import { leftoversOf, soonNothingIsLeft } from './leftovers.ts'
import type { OwnedMachines } from './machine-owner.ts'

const reason = process.getuid?.() === 0 ? undefined : 'only root may run the jailer'
const buildDirectory = fileURLToPath(new URL('../../node_modules/.cache/aegis', import.meta.url))

describe.skipIf(reason !== undefined)(
  `the owner of machines in jails, by a double of Firecracker${reason ? ` (${reason})` : ''}`,
  { timeout: 60_000 },
  () => {
    it.each<[string, Partial<FakeVmmPlan>, 'runs' | 'boots' | 'is saved']>([
      ['works', {}, 'runs'],
      ['boots', { at: { 'PUT /vsock': { kind: 'hang' } } }, 'boots'],
      ['becomes a snapshot', { at: { 'PUT /snapshot/create': { kind: 'hang' } } }, 'is saved'],
    ])('that is killed while one %s leaves nothing that its successor does not remove', async (_, double, when) => {
      const scene = await openScene(double)
      const owner = own(scene, when === 'is saved')
      if (when !== 'boots') await once(owner, 'message')
      const perMachine = when === 'boots' ? /firecracker/ : /--id/
      await eventually(async () => {
        const running = await sandboxProcesses(scene.mark)
        const jailed = running.filter(({ commandLine }) => perMachine.test(commandLine))
        return jailed.length >= scene.plans.length ? true : undefined
      })
      owner.kill('SIGKILL')
      await once(owner, 'exit')
      // Jails at least are there.
      expect(await leftoversOf(scene.mark)).not.toEqual([])

      // The range is one block: whoever held it is gone, or nobody could open another monitor.
      await using next = await openFirecrackerMonitor(scene.options, forever)
      const removed = await next.sweep(new Set())
      for (const { id } of scene.plans) expect(removed.join()).toContain(`/${id}`)
      await soonNothingIsLeft(scene.mark)
      expect(await next.sweep(new Set())).toEqual([])
    })
  },
)

interface Scene {
  /** Where the owner was to put one. */
  readonly snapshot: string
  readonly options: OwnedMachines['options']
  readonly plans: readonly MachinePlan[]
  readonly mark: HomeMark
}

async function openScene(double: Partial<FakeVmmPlan>): Promise<Scene> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'aegis-jailed-')))
  onTestFinished(() => rm(directory, { recursive: true }))
  const stateDirectory = join(directory, 'state')
  const uidRange = { first: 1_600_000_000 + randomInt(100_000) * 1024, count: 1024 }
  await mkdir(stateDirectory, { mode: 0o700 })
  const [vmm, launcherPath] = await Promise.all([
    makeFakeVmm(join(directory, 'bin'), double),
    locateLauncher({ buildDirectory }),
  ])
  const options = { ...vmm, stateDirectory, launcherPath, uidRange }
  const plans = await Promise.all(['first', 'second'].map((id) => planOf(directory, id)))
  const snapshot = join(directory, 'snapshot')
  await mkdir(snapshot)
  return { snapshot, options, plans, mark: { stateDirectory, uidRange } }
}

async function planOf(directory: string, id: string): Promise<MachinePlan> {
  const file = async (name: string, mode = 0o644) => {
    const path = join(directory, name)
    await writeFile(path, name, { mode })
    return path
  }
  return {
    id: sandboxId(id),
    vcpus: 1,
    memoryBytes: 64 << 20,
    kernel: { path: await file('vmlinux'), digest: '', arguments: [] },
    disks: {
      guest: { path: await file('guest.erofs'), readOnly: true },
      image: { path: await file('image.erofs'), readOnly: true },
      scratch: { path: await file(`${id}.scratch`, 0o600), readOnly: false },
    },
    cpuMillicores: 1000,
    guest: { memoryBytes: 32 << 20, pids: 16, readOnly: false },
    forSnapshot: false,
  }
}

function own({ snapshot, options, plans }: Scene, saves: boolean): ChildProcess {
  const owner = fork(fileURLToPath(new URL('./machine-owner.ts', import.meta.url)), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  onTestFinished(() => void owner.kill('SIGKILL'))
  const owned: OwnedMachines = { options, plans, ...(saves && { snapshot }) }
  owner.send(owned)
  return owner
}
