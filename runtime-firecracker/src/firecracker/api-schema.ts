import * as z from 'zod'

/**
 * What AEGIS says to Firecracker and hears from it. Fields stand in the order of Firecracker's own
 * structures, whose errors list them so. Strict where it refuses fields that it does not know.
 */
const count = z.int().min(0)

/** Paths are those in the jail. */
const path = z.string().min(1).max(4096)

/** Refilled with `size` tokens every `refill_time` milliseconds. */
export const tokenBucket = z.object({
  size: count,
  one_time_burst: count.optional(),
  refill_time: count,
})

export const rateLimiter = z.strictObject({
  bandwidth: tokenBucket.optional(),
  ops: tokenBucket.optional(),
})

export const machineConfig = z.strictObject({
  vcpu_count: z.int().min(1).max(32),
  mem_size_mib: count,
  smt: z.boolean().optional(),
  track_dirty_pages: z.boolean().optional(),
  huge_pages: z.enum(['None', '2M']).optional(),
})

export const bootSource = z.strictObject({
  kernel_image_path: path,
  initrd_path: path.optional(),
  boot_args: z.string().max(2048).optional(),
})

export const drive = z.strictObject({
  drive_id: z.string().min(1),
  partuuid: z.string().optional(),
  is_root_device: z.boolean(),
  cache_type: z.enum(['Unsafe', 'Writeback']).optional(),
  is_read_only: z.boolean().optional(),
  path_on_host: path.optional(),
  rate_limiter: rateLimiter.optional(),
  io_engine: z.enum(['Sync', 'Async']).optional(),
  socket: path.optional(),
})

export const vsock = z.strictObject({
  guest_cid: z.int().min(3).max(0xffff_ffff),
  uds_path: path,
})

export const entropy = z.strictObject({ rate_limiter: rateLimiter.optional() })

export const logger = z.strictObject({
  log_path: path.optional(),
  level: z.enum(['Error', 'Warning', 'Info', 'Debug', 'Trace', 'Off']).optional(),
  show_level: z.boolean().optional(),
  show_log_origin: z.boolean().optional(),
  module: z.string().optional(),
})

export const metrics = z.object({ metrics_path: path })

export const serial = z.strictObject({
  serial_out_path: path.optional(),
  rate_limiter: tokenBucket.optional(),
})

export const action = z.strictObject({
  action_type: z.enum(['FlushMetrics', 'InstanceStart', 'SendCtrlAltDel']),
})

export const vmState = z.strictObject({ state: z.enum(['Paused', 'Resumed']) })

export const snapshotCreate = z.strictObject({
  snapshot_type: z.enum(['Full', 'Diff']).optional(),
  snapshot_path: path,
  mem_file_path: path,
})

export const memoryBackend = z.strictObject({
  backend_path: path,
  backend_type: z.enum(['File', 'Uffd']),
})

export const vsockOverride = z.object({ uds_path: path })

export const snapshotLoad = z.strictObject({
  snapshot_path: path,
  mem_backend: memoryBackend,
  track_dirty_pages: z.boolean().optional(),
  resume_vm: z.boolean().optional(),
  vsock_override: vsockOverride.optional(),
  clock_realtime: z.boolean().optional(),
})

const name = z.string().max(256)

export const instanceInfo = z.object({
  app_name: name,
  id: name,
  state: z.enum(['Not started', 'Running', 'Paused']),
  vmm_version: name,
})

export const firecrackerVersion = z.object({ firecracker_version: name })

export const fault = z.object({ fault_message: z.string() })

/** Every request that changes something, by method and path; `{}` stands for the id of a drive. */
export const requests = {
  'PUT /logger': logger,
  'PUT /metrics': metrics,
  'PUT /serial': serial,
  'PUT /machine-config': machineConfig,
  'PUT /boot-source': bootSource,
  'PUT /drives/{}': drive,
  'PUT /vsock': vsock,
  'PUT /entropy': entropy,
  'PUT /actions': action,
  'PATCH /vm': vmState,
  'PUT /snapshot/create': snapshotCreate,
  'PUT /snapshot/load': snapshotLoad,
} as const

/** Every question, with its answer. */
export const questions = {
  'GET /': instanceInfo,
  'GET /version': firecrackerVersion,
} as const

export type RequestName = keyof typeof requests
export type RequestBody<Name extends RequestName> = z.input<(typeof requests)[Name]>
export type QuestionName = keyof typeof questions
export type Answer<Name extends QuestionName> = z.output<(typeof questions)[Name]>
export type RateLimiter = z.infer<typeof rateLimiter>
export type InstanceInfo = Answer<'GET /'>
