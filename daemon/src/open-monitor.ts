import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { AegisError, type NodeConfig } from '@aegis/core'
import {
  defaultFirecrackerPath,
  defaultJailerPath,
  diagnoseKvm,
  type KvmProbe,
  type Monitor,
  openFirecrackerMonitor,
  openQemuMonitor,
} from '@aegis/runtime-firecracker'
import { locateLauncher } from '@aegis/sandbox'
import type { Home } from './home.ts'
import { nativeProgram } from './native-program.ts'

/**
 * The one monitor of a node: the one that its config names, else Firecracker where it is installed
 * and can run, else QEMU.
 * @throws AegisError `unsupported` what was named cannot run here
 */
export async function openMonitor(
  home: Home,
  { runtime }: NodeConfig['spec'],
  kvm: KvmProbe,
  signal: AbortSignal,
): Promise<Monitor> {
  const launcherPath = await locateLauncher(nativeProgram('launch', home))
  const { uid_range: uidRange, cgroup_parent: cgroupParent } = runtime
  const options = { stateDirectory: home.firecrackerRuntime, launcherPath, uidRange, cgroupParent }
  if ((await chosenDriver(runtime.firecracker, kvm)) === 'firecracker') {
    if (kvm.state !== 'usable') throw noKvm(kvm)
    return openFirecrackerMonitor(
      {
        ...options,
        imageDirectory: home.machineImages,
        ...firecrackerOptions(runtime.firecracker),
      },
      signal,
    )
  }
  const { qemu_path: qemuPath, qemu_vsock_path: vsockPath } = runtime.firecracker
  return openQemuMonitor(
    {
      ...options,
      // Code was seen to run on it: that a machine can be made there would prove nothing.
      kvm: kvm.state === 'usable',
      ...(qemuPath !== undefined && { qemuPath }),
      ...(vsockPath !== undefined && { vsockPath }),
    },
    signal,
  )
}

type MonitorConfig = NodeConfig['spec']['runtime']['firecracker']

/** What `auto` stands for on this host. */
export async function chosenDriver(
  config: MonitorConfig,
  kvm: Pick<KvmProbe, 'state'>,
  isRoot = process.getuid?.() === 0,
): Promise<'firecracker' | 'qemu'> {
  if (config.driver !== 'auto') return config.driver
  if (kvm.state !== 'usable' || !isRoot) return 'qemu'
  const { firecracker_path: firecracker, jailer_path: jailer } = config
  const installed = await Promise.all(
    [firecracker ?? defaultFirecrackerPath, jailer ?? defaultJailerPath].map((path) =>
      access(path, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  )
  // One named and not there is a mistake that is told when it is opened.
  const named = firecracker !== undefined || jailer !== undefined
  return named || installed.every(Boolean) ? 'firecracker' : 'qemu'
}

function firecrackerOptions(config: MonitorConfig) {
  const { firecracker_path, jailer_path, chroot_base, starts_at_once } = config
  return {
    ...(firecracker_path !== undefined && { firecrackerPath: firecracker_path }),
    ...(jailer_path !== undefined && { jailerPath: jailer_path }),
    ...(chroot_base !== undefined && { chrootBase: chroot_base }),
    startsAtOnce: starts_at_once,
  }
}

function noKvm(kvm: KvmProbe): AegisError {
  const { detail, remedy } = diagnoseKvm(kvm)
  return new AegisError(
    'unsupported',
    'firecracker.kvm',
    `Firecracker cannot run on this host: KVM: ${detail}. ${remedy}; or set spec.runtime.firecracker.driver: qemu`,
  )
}
