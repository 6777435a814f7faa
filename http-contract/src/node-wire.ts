import type { NodeFinding, NodeStatus } from '@aegis/core'
import { z } from 'zod'
import { isolation } from './scalars.ts'

/** `GET /health`; the reference's two fields and whether the node takes work. */
export const health = z.object({
  status: z.enum(['healthy', 'starting']),
  uptime_seconds: z.int().min(0),
  ready: z.boolean(),
})

const count = z.int().min(0)

/** `GET /api/node` */
export const nodeStatus = z.object({
  name: z.string(),
  version: z.string(),
  pid: z.int(),
  uptime_seconds: z.number().min(0),
  executions: z.object({
    pending: count,
    queued: count,
    running: count,
    completed: count,
    failed: count,
    cancelled: count,
    timed_out: count,
  }),
  capacity: z.object({
    cpu_millicores: z.number(),
    memory_bytes: z.number(),
    free_cpu_millicores: z.number(),
    free_memory_bytes: z.number(),
  }),
  sandboxes: z.object({
    cold: count,
    warm: count,
    hot: count,
    terminated: count,
    failed: count,
    warm_starts: count,
    restored_starts: count,
    cold_starts: count,
  }),
  scripted_model: z.boolean(),
  exposed: z.boolean(),
})

/** `GET /api/node/doctor` */
export const nodeFindings: z.ZodType<NodeFinding[], NodeFinding[]> = z.array(
  z.object({
    isolation,
    name: z.string(),
    state: z.enum(['ok', 'warning', 'missing']),
    detail: z.string(),
    remedy: z.string().exactOptional(),
  }),
)

export type NodeStatusWire = z.infer<typeof nodeStatus>

export const nodeStatusToWire = (status: NodeStatus): NodeStatusWire => ({
  name: status.name,
  version: status.version,
  pid: status.pid,
  uptime_seconds: status.uptimeSeconds,
  executions: status.executions,
  capacity: {
    cpu_millicores: status.capacity.cpuMillicores,
    memory_bytes: status.capacity.memoryBytes,
    free_cpu_millicores: status.capacity.freeCpuMillicores,
    free_memory_bytes: status.capacity.freeMemoryBytes,
  },
  sandboxes: {
    cold: status.sandboxes.cold,
    warm: status.sandboxes.warm,
    hot: status.sandboxes.hot,
    terminated: status.sandboxes.terminated,
    failed: status.sandboxes.failed,
    warm_starts: status.sandboxes.warmStarts,
    restored_starts: status.sandboxes.restoredStarts,
    cold_starts: status.sandboxes.coldStarts,
  },
  scripted_model: status.scriptedModel,
  exposed: status.exposed,
})

export const nodeStatusFromWire = (wire: NodeStatusWire): NodeStatus => ({
  name: wire.name,
  version: wire.version,
  pid: wire.pid,
  uptimeSeconds: wire.uptime_seconds,
  executions: wire.executions,
  capacity: {
    cpuMillicores: wire.capacity.cpu_millicores,
    memoryBytes: wire.capacity.memory_bytes,
    freeCpuMillicores: wire.capacity.free_cpu_millicores,
    freeMemoryBytes: wire.capacity.free_memory_bytes,
  },
  sandboxes: {
    cold: wire.sandboxes.cold,
    warm: wire.sandboxes.warm,
    hot: wire.sandboxes.hot,
    terminated: wire.sandboxes.terminated,
    failed: wire.sandboxes.failed,
    warmStarts: wire.sandboxes.warm_starts,
    restoredStarts: wire.sandboxes.restored_starts,
    coldStarts: wire.sandboxes.cold_starts,
  },
  scriptedModel: wire.scripted_model,
  exposed: wire.exposed,
})
