import { guestArguments, vsockPort } from '../guest/guest-arguments.ts'
import type { GuestKernel, MachinePlan } from '../machine/machine-plan.ts'
import type { ApiClient } from './api-client.ts'
import type { RateLimiter, RequestBody } from './api-schema.ts'

/** Where the parts of a machine lie in its jail. */
export const inJail = {
  kernel: 'kernel',
  initramfs: 'initramfs',
  guest: 'guest',
  image: 'image',
  scratch: 'scratch',
  vsock: 'v.sock',
  log: 'log',
  metrics: 'metrics',
  state: 'state',
  memory: 'memory',
} as const

/** The guest's own number; each Firecracker has a network of its own for it. */
const guestCid = 3

/** Bytes of reading and writing that one machine may cause in a second, and how often. */
export const driveLimits = { bytesPerSecond: 256 << 20, operationsPerSecond: 20_000 } as const

/** Of randomness: a guest that asks without end keeps no processor busy. */
export const entropyBytesPerSecond = 256 << 10

/** Of its console, which is off; who turns it on floods nobody. */
export const consoleBytesPerSecond = 64 << 10

export type MachineRequests = {
  readonly [Name in Parameters<ApiClient['change']>[0]]: readonly [
    name: Name,
    body: RequestBody<Name>,
    id?: string,
  ]
}[Parameters<ApiClient['change']>[0]]

/** Where words and numbers go: the first of all requests, also before a snapshot is loaded. */
export const sinkRequests: readonly MachineRequests[] = [
  ['PUT /logger', { log_path: `/${inJail.log}`, level: 'Warning', show_level: true }],
  ['PUT /metrics', { metrics_path: `/${inJail.metrics}` }],
]

/** All that makes a machine, in the order that Firecracker wants. No network card, and no metadata. */
export function machineRequests(plan: MachinePlan): readonly MachineRequests[] {
  const { kernel, vcpus, memoryBytes } = plan
  return [
    ['PUT /serial', { rate_limiter: perSecond(consoleBytesPerSecond) }],
    [
      'PUT /machine-config',
      { vcpu_count: vcpus, mem_size_mib: Math.ceil(memoryBytes / (1 << 20)) },
    ],
    [
      'PUT /boot-source',
      {
        kernel_image_path: `/${inJail.kernel}`,
        ...(kernel.initramfs === undefined ? {} : { initrd_path: `/${inJail.initramfs}` }),
        boot_args: kernelArguments(kernel, plan.guest).join(' '),
      },
    ],
    driveRequest('guest', true, true),
    driveRequest('image', true, false),
    driveRequest('scratch', false, false),
    ['PUT /vsock', { guest_cid: guestCid, uds_path: `/${inJail.vsock}` }],
    ['PUT /entropy', { rate_limiter: { bandwidth: perSecond(entropyBytesPerSecond) } }],
  ]
}

/** Brings a snapshot to life, whose machine found its disks where this one has its own. */
export const restoreRequest: MachineRequests = [
  'PUT /snapshot/load',
  {
    snapshot_path: `/${inJail.state}`,
    mem_backend: { backend_type: 'File', backend_path: `/${inJail.memory}` },
    vsock_override: { uds_path: `/${inJail.vsock}` },
    resume_vm: true,
  },
]

/** The guest's kernel: what every guest gets, then what this kernel and this guest need. */
export function kernelArguments(
  kernel: Pick<GuestKernel, 'arguments'>,
  guest: MachinePlan['guest'],
): readonly string[] {
  return [
    ...['quiet', 'loglevel=1', 'reboot=k', 'panic=1'],
    ...['8250.nr_uarts=0', 'i8042.noaux', 'i8042.nomux', 'i8042.dumbkbd', 'swiotlb=noforce'],
    'random.trust_cpu=on',
    ...kernel.arguments,
    ...guestArguments({ ...guest, wire: { kind: 'vsock', port: vsockPort } }),
  ]
}

function driveRequest(
  id: 'guest' | 'image' | 'scratch',
  readOnly: boolean,
  root: boolean,
): MachineRequests {
  return [
    'PUT /drives/{}',
    {
      drive_id: id,
      path_on_host: `/${inJail[id]}`,
      is_root_device: root,
      is_read_only: readOnly,
      // Nothing on it outlives the machine, so nothing is worth waiting for.
      cache_type: 'Unsafe',
      io_engine: 'Sync',
      rate_limiter: driveRateLimiter,
    },
    id,
  ]
}

const perSecond = (tokens: number) => ({ size: tokens, refill_time: 1000 })

const driveRateLimiter: RateLimiter = {
  bandwidth: perSecond(driveLimits.bytesPerSecond),
  ops: perSecond(driveLimits.operationsPerSecond),
}
