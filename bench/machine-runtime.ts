import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  agentId,
  type Sandbox,
  type SandboxProcess,
  type SandboxRuntime,
  type SandboxSnapshots,
  type SandboxSpec,
  type SnapshotSubject,
  sandboxId,
} from '@aegis/core'
import {
  type GuestKernel,
  openFirecrackerRuntime,
  openKernelStore,
  openQemuMonitor,
  openSnapshotStore,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { testKernel } from '../tests/engine/guest-kernel.ts'
import { imageDisk } from '../tests/engine/image-disk.ts'

const never = new AbortController().signal

/** Micro-VMs of QEMU with an emulated processor, and snapshots of them, in a folder of their own. */
export interface MachineRuntime extends AsyncDisposable {
  readonly runtime: SandboxRuntime
  readonly snapshots: SandboxSnapshots
  /** What the machines boot. */
  readonly kernel: GuestKernel
}

export async function openMachineRuntime(): Promise<MachineRuntime> {
  const home = await mkdtemp(join(tmpdir(), 'aegis-bench-machines-'))
  const buildDirectory = join(home, 'build')
  const [guestPath, launcherPath, kernels, python] = await Promise.all([
    locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
    testKernel().then(openKernelStore),
    imageDisk('python'),
  ])
  const stateDirectory = join(home, 'machines')
  const runtime = openFirecrackerRuntime({
    stateDirectory,
    guestPath,
    monitor: await openQemuMonitor({ stateDirectory, launcherPath, kvm: false }, never),
    kernel: () => kernels.current(),
    machineImages: {
      open: async () => ({
        path: python,
        fileSystem: 'ext4',
        env: {},
        async [Symbol.asyncDispose]() {},
      }),
    },
    snapshots: openSnapshotStore({
      directory: join(home, 'snapshots'),
      key: async () => new Uint8Array(32).fill(7),
      most: 4,
    }),
  })
  if (runtime.snapshots === undefined) throw new Error('The runtime makes no snapshots')
  return {
    runtime,
    snapshots: runtime.snapshots,
    kernel: await kernels.current(),
    async [Symbol.asyncDispose]() {
      await runtime[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}

export const guestBytes = 128 << 20

let machines = 0
export const machineSpec = (): SandboxSpec => ({
  id: sandboxId(`bench-${++machines}`),
  interpreter: { language: 'python', version: '3.11', image: 'python' },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: guestBytes,
    diskBytes: 64 << 20,
    pids: 64,
    outputBytes: 1 << 20,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_target, stream) => stream.destroy(),
})

/** A Python that says its task, as soon as it has one. */
export const echoing: SnapshotSubject = {
  agentId: agentId('bench'),
  agentRevision: 1,
  files: [],
  command: {
    argv: ['python3', '-c', 'print(input(), flush=True); input()'],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/workspace',
  },
}

/** Gives it its task, and waits for the first word. */
export async function firstWord(process: SandboxProcess): Promise<void> {
  await process.writeStdin(Buffer.from('hello\n'))
  for await (const _ of process.stdout) return
  throw new Error('It ended without a word')
}

export async function residentBytes(sandbox: Sandbox): Promise<number> {
  const { residentBytes: bytes } = await sandbox.stats(never)
  if (bytes === undefined) throw new Error('Nobody knows how much memory it has')
  return bytes
}
