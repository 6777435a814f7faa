import {
  agentId,
  executionId,
  type SandboxEvent,
  type SandboxStats,
  type SandboxStatus,
  sandboxId,
} from '@aegis/core'
import { z } from 'zod'
import { id, instant, isolation, limitCause } from './scalars.ts'

/** The core's event of a sandbox, as the `data` of a stream carries it: whole and unchanged. */
export const sandboxEvent = z.object({
  type: z.enum([
    'sandbox.cold',
    'sandbox.warm',
    'sandbox.hot',
    'sandbox.terminated',
    'sandbox.failed',
  ]),
  at: instant,
  sandboxId: z.string().transform(sandboxId),
  isolation,
  agentId: id.transform(agentId),
  agentName: z.string(),
  executionId: id.transform(executionId).optional(),
  reason: z.string().optional(),
  cause: limitCause.optional(),
}) satisfies z.ZodType<SandboxEvent>

const sandboxStats = z.object({
  cpu_ms: z.number(),
  memory_bytes: z.number(),
  memory_peak_bytes: z.number(),
  pids: z.number(),
  io_read_bytes: z.number(),
  io_write_bytes: z.number(),
  resident_bytes: z.number().nullable(),
})

/** An entry of `GET /api/sandboxes`. */
const sandboxStatus = z.object({
  id: z.string(),
  isolation,
  monitor: z.string().nullable(),
  state: z.enum(['cold', 'warm', 'hot']),
  agent_id: id,
  agent_name: z.string(),
  execution_id: id.nullable(),
  since: instant,
  limits: z.object({ cpu_millicores: z.number(), memory_bytes: z.number() }),
  stats: sandboxStats.nullable(),
})

export const sandboxStatuses = z.array(sandboxStatus)

type SandboxStatusWire = z.infer<typeof sandboxStatus>
type SandboxStatsWire = z.infer<typeof sandboxStats>

export const sandboxStatusToWire = (status: SandboxStatus): SandboxStatusWire => ({
  id: status.id,
  isolation: status.isolation,
  monitor: status.monitor ?? null,
  state: status.state,
  agent_id: status.agentId,
  agent_name: status.agentName,
  execution_id: status.executionId ?? null,
  since: status.since,
  limits: {
    cpu_millicores: status.limits.cpuMillicores,
    memory_bytes: status.limits.memoryBytes,
  },
  stats: status.stats === undefined ? null : statsToWire(status.stats),
})

export const sandboxStatusFromWire = (wire: SandboxStatusWire): SandboxStatus => ({
  id: sandboxId(wire.id),
  isolation: wire.isolation,
  ...(wire.monitor !== null && { monitor: wire.monitor }),
  state: wire.state,
  agentId: agentId(wire.agent_id),
  agentName: wire.agent_name,
  ...(wire.execution_id !== null && { executionId: executionId(wire.execution_id) }),
  since: wire.since,
  limits: {
    cpuMillicores: wire.limits.cpu_millicores,
    memoryBytes: wire.limits.memory_bytes,
  },
  ...(wire.stats !== null && { stats: statsFromWire(wire.stats) }),
})

const statsToWire = (stats: SandboxStats): SandboxStatsWire => ({
  cpu_ms: stats.cpuMs,
  memory_bytes: stats.memoryBytes,
  memory_peak_bytes: stats.memoryPeakBytes,
  pids: stats.pids,
  io_read_bytes: stats.ioReadBytes,
  io_write_bytes: stats.ioWriteBytes,
  resident_bytes: stats.residentBytes ?? null,
})

const statsFromWire = (wire: SandboxStatsWire): SandboxStats => ({
  cpuMs: wire.cpu_ms,
  memoryBytes: wire.memory_bytes,
  memoryPeakBytes: wire.memory_peak_bytes,
  pids: wire.pids,
  ioReadBytes: wire.io_read_bytes,
  ioWriteBytes: wire.io_write_bytes,
  ...(wire.resident_bytes !== null && { residentBytes: wire.resident_bytes }),
})
