export {
  defaultFirecrackerPath,
  defaultJailerPath,
  type FirecrackerMonitorOptions,
  openFirecrackerMonitor,
} from './firecracker/firecracker-monitor.ts'
export { type FirecrackerRuntimeOptions, openFirecrackerRuntime } from './firecracker-runtime.ts'

export { type GuestArguments, type GuestWire, guestArguments } from './guest/guest-arguments.ts'
export { diagnoseKernels } from './host/diagnose-kernel.ts'
export { diagnoseKvm } from './host/diagnose-kvm.ts'
export { diagnoseSpace } from './host/diagnose-space.ts'
export { type KvmProbe, probeKvm } from './host/probe-kvm.ts'
export { type Conversion, type Converted, convertArchive } from './images/convert-archive.ts'
export { type ErofsEntry, writeErofs } from './images/erofs/erofs-entries.ts'
export type { ImageRegistry, RemoteImage } from './images/image-registry.ts'
export type { ImageSource } from './images/image-source.ts'
export {
  type MachineImageOptions,
  type MachineImageStore,
  openMachineImages,
} from './images/machine-image-store.ts'
export {
  defaultMirror,
  type FetchedKernel,
  type FetchKernelOptions,
  type FetchProgress,
  fetchKernel,
} from './kernels/fetch-kernel.ts'
export type { KernelRecord } from './kernels/kernel-record.ts'
export { type KernelStore, openKernelStore } from './kernels/kernel-store.ts'
export { type UsedKernel, type UseKernelOptions, useKernel } from './kernels/use-kernel.ts'
export type { MachineImage, MachineImages } from './machine/machine-images.ts'
export type { GuestKernel, MachinePlan } from './machine/machine-plan.ts'
export type { Machine, MachineEnd, MachineSnapshot, Monitor } from './machine/monitor.ts'
export { openQemuMonitor, type QemuMonitorOptions } from './qemu/qemu-monitor.ts'
export {
  openSnapshotStore,
  type SnapshotStore,
  type SnapshotStoreOptions,
} from './snapshots/snapshot-store.ts'
