import type { ImageStore, Logger, NodeConfig, SandboxRuntime } from '@aegis/core'
import {
  diagnoseKernels,
  diagnoseKvm,
  diagnoseSpace,
  type MachineImages,
  openFirecrackerRuntime,
  openKernelStore,
  openSnapshotStore,
  probeKvm,
} from '@aegis/runtime-firecracker'
import { locateGuest, locateProbe } from '@aegis/sandbox'
import type { Home } from './home.ts'
import { lazyRuntime } from './lazy-runtime.ts'
import { nativeProgram } from './native-program.ts'
import { openMonitor } from './open-monitor.ts'
import { readSnapshotKey } from './snapshot-key.ts'
import { weakerForms } from './weaker-forms.ts'

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
  const { snapshots: most } = options.config.spec.runtime.firecracker
  const key = () => readSnapshotKey(home.snapshotsKey)
  const snapshots =
    most === 0 ? undefined : openSnapshotStore({ directory: home.snapshots, key, most })
  return lazyRuntime({
    isolation: 'firecracker',
    images: images.store,
    stateDirectory: home.firecrackerRuntime,
    ...(snapshots && { snapshots }),
    async open(signal) {
      const [guestPath, kvm] = await Promise.all([
        locateGuest(nativeProgram('guest', home)),
        probeKvm(await locateProbe(nativeProgram('probe', home)), signal),
      ])
      const monitor = await openMonitor(home, options.config.spec, kvm, signal)
      return openFirecrackerRuntime({
        stateDirectory: home.firecrackerRuntime,
        guestPath,
        monitor,
        kernel: () => kernels.current(),
        machineImages: images.machines,
        images: images.store,
        allowWeaker: weakerForms(options.config),
        ...(snapshots && { snapshots }),
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
