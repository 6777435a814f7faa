import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SandboxRuntime } from '@aegis/core'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { testCloudKernel, testKernel } from '../../engine/guest-kernel.ts'
import { imageDisk } from '../../engine/image-disk.ts'
import { whyNoQemu } from '../../engine/requirements.ts'
import { posixCommands } from '../contract-commands.ts'
import { specWith } from '../sandbox-driver.ts'
import { openMachineDisks } from './machine-disks.ts'
import { makeHost } from './make-host.ts'
import { type MachineDisk, openRuntime, type RuntimeChoice } from './open-runtime.ts'
import { groupsOf, processesOf } from './process-host.ts'
import type { GuestOptions, SandboxHost, SandboxHostKind } from './sandbox-host.ts'

const buildDirectory = fileURLToPath(new URL('../../../node_modules/.cache/aegis', import.meta.url))

/** Micro-VMs of QEMU, with a processor that is a program: what every machine can boot. */
export const qemuHostKind: SandboxHostKind = {
  name: 'firecracker/qemu',
  whyNot: whyNoQemu,
  commands: posixCommands,
  path: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  environment: {},
  nodePath: '/usr/bin/node',
  guestPlace: '/aegis-guest',
  outlivesLimits: true,
  terminalsAct: true,
  bootsImages: true,
  containers: false,
  lends: false,
  ownKernel: true,
  slowness: 12,
  hostCores: 4,
  open: (options) => openMachineHost(options),
}

/** The same with a distribution's kernel, whose drivers are modules. */
export const cloudKernelHostKind: SandboxHostKind = {
  ...qemuHostKind,
  name: "firecracker/qemu with Debian's kernel for clouds",
  // An emulated processor boots it in twice the time.
  slowness: 20,
  open: (options) => openMachineHost(options, { fetchKernel: testCloudKernel }),
}

interface MachineHostParts {
  /** Changes what the host sees of its runtime. */
  readonly disguise?: (runtime: SandboxRuntime) => SandboxRuntime
  readonly fetchKernel?: () => Promise<string>
}

export async function openMachineHost(
  { guestPath, ...timing }: GuestOptions = {},
  { disguise = (same) => same, fetchKernel = testKernel }: MachineHostParts = {},
): Promise<SandboxHost> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-home-')))
  const [guest, launcherPath, kernelDirectory, node] = await Promise.all([
    guestPath ?? locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
    fetchKernel(),
    imageDisk('node'),
  ])
  const stateDirectory = join(home, 'runtime-firecracker')
  const disks: Record<string, string | MachineDisk> = { node }
  const images = openMachineDisks(join(home, 'images'), disks)
  const choice: RuntimeChoice = {
    runtime: 'firecracker',
    monitor: { stateDirectory, launcherPath, kvm: false },
    guestPath: guest,
    kernelDirectory,
    images: disks,
    snapshotDirectory: join(home, 'snapshots'),
    timing,
  }
  return makeHost({
    kind: qemuHostKind,
    runtime: disguise(await openRuntime(choice)),
    home,
    choice,
    images,
    spec: (overrides) =>
      specWith({
        interpreter: { language: 'javascript', version: '18', image: 'node' },
        ...overrides,
      }),
    async traces() {
      const [groups, machines, disks, processes] = await Promise.all([
        groupsOf(stateDirectory),
        readdir(join(stateDirectory, 'machines')).catch(() => []),
        readdir(join(stateDirectory, 'disks')).catch(() => []),
        processesOf('qemu-system-x86'),
      ])
      return [...groups, ...machines, ...disks, ...processes]
    },
    async close() {
      await images[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  })
}
