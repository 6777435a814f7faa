import type { SandboxLimits } from '@aegis/core'
import type { LimitBackend } from '@aegis/sandbox'
import type { MachinePlan } from '../machine/machine-plan.ts'
import { codeCacheMiB } from './qemu-command.ts'

/** What QEMU itself needs, besides the guest's memory and the code that it translates. */
const monitorBytes = 96 << 20

/**
 * How much of the host an emulated core may use: it does an eighth of the work of a real one, and an
 * agent that is promised a quarter of a core could not even start in time.
 */
const emulatedCores = 4

/**
 * Where there are no control groups, what a process might write to counts instead of what it has written: stacks
 * of 64 threads and as many coroutines, and what their allocator sets aside.
 */
const addressBytes = 1 << 30

/** A file that is the guest's memory counts as much as memory without one. */
export function limitsOf(
  {
    acceleration,
    limits,
  }: {
    readonly acceleration: 'kvm' | 'tcg'
    readonly limits: { readonly enforced: Pick<LimitBackend['enforced'], 'memory'> }
  },
  plan: MachinePlan,
): SandboxLimits {
  const emulates = acceleration === 'tcg'
  const cache = emulates ? codeCacheMiB << 20 : 0
  const addresses = limits.enforced.memory ? 0 : addressBytes
  return {
    cpuMillicores: plan.cpuMillicores * (emulates ? emulatedCores : 1),
    memoryBytes: plan.memoryBytes + monitorBytes + cache + addresses,
    // Of threads: QEMU's own, and up to 64 that read and write its disks.
    pids: 128 + plan.vcpus,
    diskBytes: 1,
    outputBytes: 1,
  }
}
