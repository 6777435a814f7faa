export type { KernelRecord } from './kernels/kernel-record.ts'
export { type KernelStore, openKernelStore } from './kernels/kernel-store.ts'
export type { GuestKernel, MachinePlan } from './machine/machine-plan.ts'
export type { Machine, MachineEnd, MachineSnapshot, Monitor } from './machine/monitor.ts'
