import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxId } from '@aegis/core'
import { locateLauncher } from '@aegis/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Monitor } from '../machine/monitor.ts'
import type { FakeVmmPlan } from '../testing/fake-vmm-plan.ts'
import { makeFakeVmm } from '../testing/make-fake-vmm.ts'
import { type FirecrackerMonitorOptions, openFirecrackerMonitor } from './firecracker-monitor.ts'

const never = new AbortController().signal
const root = process.getuid?.() === 0
const launcherPath = await locateLauncher({
  buildDirectory: join(import.meta.dirname, '..', '..', '..', 'build'),
})
const uidRange = { first: 1_950_000_000, count: 4096 }

interface Bench {
  readonly monitor: Monitor
  readonly directory: string
  plan(id?: string): Promise<MachinePlan>
  /** What is left on the host of machines: processes, groups, jails. */
  leftovers(): Promise<readonly string[]>
}

async function bench(
  double: Partial<FakeVmmPlan> = {},
  options: Partial<FirecrackerMonitorOptions> = {},
): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-fc-'))
  const vmm = await makeFakeVmm(join(directory, 'bin'), double)
  const stateDirectory = join(directory, 'state')
  const monitor = await openFirecrackerMonitor(
    { ...vmm, stateDirectory, launcherPath, uidRange, ...options },
    never,
  )
  onTestFinished(async () => {
    await monitor.sweep(new Set())
    await monitor[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })
  const file = async (name: string, mode = 0o644) => {
    const path = join(directory, name)
    await writeFile(path, name, { mode })
    return path
  }
  return {
    monitor,
    directory,
    async plan(id = `vm-${process.pid}`) {
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
    },
    async leftovers() {
      const jails = await readdir(join(stateDirectory, 'jails', 'firecracker'))
      return [...jails.map((name) => `jail ${name}`), ...(await processesOfRange())]
    },
  }
}

async function processesOfRange(): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const statuses = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  )
  return statuses.flatMap((status) => {
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    // One that ended and whom nobody has buried yet is none.
    if (/^State:\s+Z/m.test(status)) return []
    const ours = uid >= uidRange.first && uid < uidRange.first + uidRange.count
    return ours ? [`process ${/^Name:\s+(.+)$/m.exec(status)?.[1]}`] : []
  })
}

describe.skipIf(!root)('with a double of Firecracker and its jailer', () => {
  it('boots a machine whose guest has the wire, and leaves nothing of it', async () => {
    const { monitor, plan, leftovers } = await bench()
    const machine = await monitor.boot(await plan(), never)
    machine.wire.write('hello')
    expect(String((await once(machine.wire, 'data'))[0])).toBe('hello')
    expect(await machine.residentBytes()).toBeGreaterThan(1 << 20)
    expect(Object.keys(machine.phases)).toEqual(['monitor', 'kernel'])
    await machine[Symbol.asyncDispose]()
    expect(await machine.ended).toMatchObject({ outOfMemory: false })
    expect(await leftovers()).toEqual([])
  })
})
