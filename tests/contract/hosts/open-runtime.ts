import { AegisError, type SandboxRuntime } from '@aegis/core'
import {
  type DockerRuntimeOptions,
  openDockerRuntime,
  openEngineClient,
  parseEngineEndpoint,
} from '@aegis/runtime-docker'
import {
  type MachineImage,
  openFirecrackerRuntime,
  openKernelStore,
  openQemuMonitor,
  openSnapshotStore,
  type QemuMonitorOptions,
} from '@aegis/runtime-firecracker'
import { openProcessRuntime, type ProcessRuntimeOptions } from '@aegis/runtime-process'

/** A runtime and its state, in a form that can be sent to another process. */
export type RuntimeChoice =
  | { readonly runtime: 'process'; readonly options: ProcessRuntimeOptions }
  | {
      readonly runtime: 'docker'
      /** Of the engine: `unix:///…`. */
      readonly engine: string
      readonly options: Omit<DockerRuntimeOptions, 'client' | 'images' | 'logger'>
    }
  | ({ readonly runtime: 'firecracker' } & MachineChoice)

export type MachineDisk = Pick<MachineImage, 'path' | 'fileSystem' | 'env'>

export interface MachineChoice {
  readonly monitor: QemuMonitorOptions
  readonly guestPath: string
  readonly kernelDirectory: string
  /** Disks of images, by name; a path alone is that of a disk of ext4. More may come later. */
  readonly images: Readonly<Record<string, string | MachineDisk>>
  readonly allowWeaker?: readonly 'cgroup'[]
  /** Where snapshots are kept. Absent: none are made. */
  readonly snapshotDirectory?: string
  readonly timing: {
    readonly helloTimeoutMs?: number
    readonly pingIntervalMs?: number
    readonly pingTimeoutMs?: number
  }
}

/** Knows nothing of vitest, so that other processes can use it. */
export async function openRuntime(choice: RuntimeChoice): Promise<SandboxRuntime> {
  switch (choice.runtime) {
    case 'process':
      return openProcessRuntime(choice.options)
    case 'firecracker':
      return openMachines(choice)
    case 'docker':
      return openDockerRuntime({
        client: openEngineClient(parseEngineEndpoint(choice.engine)),
        ...choice.options,
      })
  }
}

async function openMachines(choice: MachineChoice): Promise<SandboxRuntime> {
  const kernels = openKernelStore(choice.kernelDirectory)
  const { snapshotDirectory: directory } = choice
  const key = async () => new Uint8Array(32).fill(7)
  return openFirecrackerRuntime({
    stateDirectory: choice.monitor.stateDirectory,
    guestPath: choice.guestPath,
    monitor: await openQemuMonitor(choice.monitor, AbortSignal.timeout(30_000)),
    kernel: () => kernels.current(),
    ...(directory && { snapshots: openSnapshotStore({ directory, key, most: 4 }) }),
    machineImages: {
      async open(id) {
        const disk = choice.images[id]
        if (disk === undefined) throw new AegisError('not-found', 'image.absent', `No image ${id}`)
        const ext4 = { path: `${disk}`, fileSystem: 'ext4', env: {} } as const
        const found = typeof disk === 'string' ? ext4 : disk
        return { ...found, [Symbol.asyncDispose]: async () => {} }
      },
    },
    ...(choice.allowWeaker && { allowWeaker: choice.allowWeaker }),
    ...choice.timing,
  })
}
