import type { LimitBackend } from './limit-group.ts'
import { noHits } from './limit-group.ts'

/**
 * What is left where no cgroup can be written: limits per process instead of per sandbox. Only
 * used when the operator allowed it by name; otherwise a boot is refused.
 */
export function makeNoLimits(reasons: readonly string[], remedy: string): LimitBackend {
  return {
    description: `no writable cgroup: ${reasons.join('; ')}`,
    enforced: { cpu: false, memory: false, pids: false },
    remedy,
    create: async (_id, limits) => ({
      procsFiles: [],
      processLimits: [{ name: 'data', value: limits.memoryBytes }],
      usage: async () => undefined,
      hits: async () => noHits,
      // The death of bubblewrap, which the caller sees to, takes the pid namespace with it.
      kill: async () => {},
      remove: async () => {},
    }),
    sweep: async () => [],
    close: async () => {},
  }
}
