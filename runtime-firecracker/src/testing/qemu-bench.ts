import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxId } from '@aegis/core'
import {
  connectGuest,
  type GuestSession,
  locateGuest,
  locateLauncher,
  type MachineGuest,
  makeReseedProofs,
  type UidRange,
} from '@aegis/sandbox'
import { makeGuestDisk } from '../guest-disk.ts'
import type { MachinePlan } from '../machine/machine-plan.ts'
import type { Machine, Monitor } from '../machine/monitor.ts'
import { openQemuMonitor, type QemuMonitorOptions } from '../qemu/qemu-monitor.ts'
import { makeScratchDisk } from '../scratch-disk.ts'
import { makeHostImage } from './host-image.ts'
import { testKernel } from './test-kernel.ts'

/** A QEMU monitor with all that its machines need, in a directory of its own. */
export interface QemuBench extends AsyncDisposable {
  readonly directory: string
  readonly monitor: Monitor
  /** Makes a directory that is ours alone. */
  newDirectory(name: string): Promise<string>
  /** Another monitor, in `stateDirectory`. */
  openMonitor(
    stateDirectory: string,
    options?: Partial<Pick<QemuMonitorOptions, 'vsockPath'>>,
  ): Promise<Monitor>
  /** With an empty disk, unless `scratchPath` is one. */
  plan(id: string, parts?: PlanParts): Promise<MachinePlan>
  connect(machine: Machine, guest?: Partial<MachineGuest>): Promise<GuestSession>
  /** Kills, at once, all that runs now, or what has this name of it. */
  killer(name?: string): Promise<() => void>
  /** Processes, groups and directories of machines; removes them, too. */
  leftovers(): Promise<readonly string[]>
}

interface PlanParts {
  readonly forSnapshot?: boolean
  readonly scratchPath?: string
}

const buildDirectory = join(import.meta.dirname, '..', '..', '..', 'build')
const never = new AbortController().signal

/** `firstUid` keeps tests apart that run at the same time. */
export async function openQemuBench(
  firstUid: number,
  programs: readonly string[],
  options: Partial<Pick<QemuMonitorOptions, 'vsockPath'>> = {},
): Promise<QemuBench> {
  await using opening = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'aegis-qemu-'))
  opening.defer(() => rm(directory, { recursive: true, force: true }))
  const [kernel, guestPath, launcherPath] = await Promise.all([
    testKernel(),
    locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
  ])
  const guestDisk = await makeGuestDisk(directory, guestPath, never)
  const image = join(directory, 'image')
  await makeHostImage(image, programs)
  const uidRange = { first: firstUid, count: 4096 }
  // One from 8.2 on needs no copy of the memory for each machine out of a snapshot.
  const { AEGIS_QEMU: qemuPath } = process.env
  const openMonitor: QemuBench['openMonitor'] = (stateDirectory, more = {}) =>
    openQemuMonitor(
      {
        ...{ stateDirectory, launcherPath, kvm: false, uidRange },
        ...(qemuPath && { qemuPath }),
        ...more,
      },
      never,
    )
  const monitor = opening.use(await openMonitor(join(directory, 'state'), options))
  const proofs = makeReseedProofs()
  const resources = opening.move()
  return {
    directory,
    monitor,
    openMonitor,
    async newDirectory(name) {
      const path = join(directory, name)
      await mkdir(path, { mode: 0o700 })
      return path
    },
    async plan(id, { forSnapshot = false, scratchPath } = {}) {
      const scratch = scratchPath ?? join(directory, `${id}.scratch`)
      if (scratchPath === undefined) await makeScratchDisk(scratch, 16 << 20, never)
      return {
        id: sandboxId(id),
        vcpus: 1,
        memoryBytes: 144 << 20,
        kernel,
        disks: {
          guest: { path: guestDisk, readOnly: true },
          image: { path: image, readOnly: true },
          scratch: { path: scratch, readOnly: false },
        },
        cpuMillicores: 1000,
        guest: { memoryBytes: 48 << 20, pids: 32, readOnly: false },
        forSnapshot,
      }
    },
    connect: (machine, guest = {}) =>
      connectGuest(
        machine.wire,
        {
          onConnect: (_target, stream) => stream.destroy(),
          outputLimitBytes: 32 << 20,
          helloTimeoutMs: 25_000,
          user: { uid: 1000, gid: 1000 },
          machine: { proofs, ...guest },
        },
        never,
      ),
    async killer(name) {
      const pids = await pidsOf(uidRange, name)
      return () => {
        for (const pid of pids)
          try {
            process.kill(pid, 'SIGKILL')
          } catch {
            // It went with the one before it.
          }
      }
    },
    async leftovers() {
      const pids = process.getuid?.() === 0 ? await pidsOf(uidRange) : []
      return [...pids.map((pid) => `process ${pid}`), ...(await monitor.sweep(new Set()))]
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function pidsOf({ first, count }: UidRange, name?: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const statuses = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')),
  )
  return pids.filter((_, index) => {
    const status = statuses[index] ?? ''
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    // One that ended and whom nobody has buried yet is none.
    if (/^State:\s+Z/m.test(status)) return false
    const isNamed = name === undefined || status.startsWith(`Name:\t${name}\n`)
    return isNamed && uid >= first && uid < first + count
  })
}
