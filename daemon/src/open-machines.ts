import {
  AegisError,
  type ImageStore,
  type Logger,
  type NodeConfig,
  type SandboxRuntime,
} from '@aegis/core'
import {
  diagnoseKernels,
  diagnoseKvm,
  diagnoseSpace,
  type KvmProbe,
  type MachineImages,
  type Monitor,
  openFirecrackerRuntime,
  openKernelStore,
  openQemuMonitor,
  probeKvm,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateLauncher, locateProbe } from '@aegis/sandbox'
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
      const [guestPath, kvm] = await Promise.all([
        locateGuest(nativeProgram('guest', home)),
        probeKvm(await locateProbe(nativeProgram('probe', home)), signal),
      ])
      const monitor = await openMonitor(options, kvm, signal)
      return openFirecrackerRuntime({
        stateDirectory: home.firecrackerRuntime,
        guestPath,
        monitor,
        kernel: () => kernels.current(),
        machineImages: images.machines,
        images: images.store,
        diagnoseHost: async () => [
          diagnoseKvm(kvm),
          await diagnoseKernels(kernels),
          await diagnoseSpace(home.directory),
        ],
        logger,
      })
    },
  })
}

async function openMonitor(
  { home, config }: MachineOptions,
  kvm: KvmProbe,
  signal: AbortSignal,
): Promise<Monitor> {
  const { firecracker, uid_range: uidRange, cgroup_parent: cgroupParent } = config.spec.runtime
  const { driver, qemu_path: qemuPath } = firecracker
  if (driver === 'firecracker') throw noFirecracker()
  return openQemuMonitor(
    {
      stateDirectory: home.firecrackerRuntime,
      launcherPath: await locateLauncher(nativeProgram('launch', home)),
      // Code was seen to run on it: that a machine can be made there would prove nothing.
      kvm: kvm.state === 'usable',
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
