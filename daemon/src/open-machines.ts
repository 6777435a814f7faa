import {
  AegisError,
  type ImageStore,
  type Logger,
  type NodeConfig,
  type SandboxRuntime,
} from '@aegis/core'
import {
  type MachineImages,
  type Monitor,
  openFirecrackerRuntime,
  openKernelStore,
  openQemuMonitor,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import type { Home } from './home.ts'
import { lazyRuntime } from './lazy-runtime.ts'
import { nativeProgram } from './native-program.ts'

export interface MachineOptions {
  readonly home: Home
  readonly config: NodeConfig
  readonly images: { readonly store: ImageStore; readonly machines: MachineImages }
  readonly logger: Logger
}

/**
 * The micro-VMs of a node. Nothing is looked for before somebody wants one: most nodes have none, and
 * start without.
 */
export function openMachines(options: MachineOptions): SandboxRuntime {
  const { home, images, logger } = options
  const kernels = openKernelStore(home.kernels)
  return lazyRuntime({
    isolation: 'firecracker',
    images: images.store,
    stateDirectory: home.firecrackerRuntime,
    async open(signal) {
      const [guestPath, monitor] = await Promise.all([
        locateGuest(nativeProgram('guest', home)),
        openMonitor(options, signal),
      ])
      return openFirecrackerRuntime({
        stateDirectory: home.firecrackerRuntime,
        guestPath,
        monitor,
        kernel: () => kernels.current(),
        machineImages: images.machines,
        images: images.store,
        logger,
      })
    },
  })
}

async function openMonitor(
  { home, config }: MachineOptions,
  signal: AbortSignal,
): Promise<Monitor> {
  const { firecracker, uid_range: uidRange, cgroup_parent: cgroupParent } = config.spec.runtime
  const { driver, qemu_path: qemuPath } = firecracker
  if (driver === 'firecracker') throw noFirecracker()
  return openQemuMonitor(
    {
      stateDirectory: home.firecrackerRuntime,
      launcherPath: await locateLauncher(nativeProgram('launch', home)),
      // Until code was seen to run on it: that a VM can be made there proves nothing.
      kvm: false,
      uidRange,
      cgroupParent,
      ...(qemuPath !== undefined && { qemuPath }),
    },
    signal,
  )
}

const noFirecracker = (): AegisError =>
  new AegisError(
    'unsupported',
    'firecracker.absent',
    'This release runs micro-VMs by QEMU alone. Set spec.runtime.firecracker.driver: qemu',
  )
