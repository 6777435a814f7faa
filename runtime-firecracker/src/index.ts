export type { GuestKernel, MachinePlan } from './machine/machine-plan.ts'
export type { Machine, MachineEnd, MachineSnapshot, Monitor } from './machine/monitor.ts'
