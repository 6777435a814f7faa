import { availableParallelism, totalmem } from 'node:os'
import { type NodeConfig, parseSize, type SchedulerCapacity } from '@aegis/core'

/** Part of the machine's memory that sandboxes may be promised together. */
const memoryShare = 0.8

/** What all sandboxes together may use: the config's word, else what the machine has. */
export function nodeCapacity({ spec }: NodeConfig): SchedulerCapacity {
  const { cpu_millicores: cpu, memory, max_concurrent: most } = spec.runtime.capacity
  return {
    cpuMillicores: cpu ?? availableParallelism() * 1000,
    memoryBytes: memory === undefined ? Math.floor(totalmem() * memoryShare) : parseSize(memory),
    maxConcurrent: most ?? 256,
  }
}
