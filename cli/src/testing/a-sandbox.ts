import type { SandboxStats, SandboxStatus } from '@aegis/core'

const MiB = 1024 * 1024

/** A sandbox that runs a task, and `changes`. */
export const aSandbox = (
  changes: Partial<Record<keyof SandboxStatus, unknown>> & { readonly cpuMs?: number } = {},
): SandboxStatus => {
  const { cpuMs = 100, ...others } = changes
  const stats: SandboxStats = {
    cpuMs,
    memoryBytes: 41 * MiB,
    memoryPeakBytes: 60 * MiB,
    pids: 3,
    ioReadBytes: 0,
    ioWriteBytes: 4096,
  }
  return {
    id: 's1',
    isolation: 'process',
    state: 'hot',
    agentId: 'a1',
    agentName: 'echo',
    executionId: 'e1',
    since: '2026-11-22T15:00:00.000Z',
    limits: { cpuMillicores: 250, memoryBytes: 128 * MiB },
    stats,
    ...others,
  } as SandboxStatus
}
