import type { SandboxSpec } from '@aegis/core'
import { cpuQuota } from '@aegis/sandbox'
import { guestDirectory, guestProgram } from './guest-volume.ts'
import type { ImageFacts } from './image-facts.ts'

/** Users inside are numbers: no image need know them. */
export interface ContainerUser {
  readonly uid: number
  readonly gid: number
}

/** Nobody's number on most hosts, and in no image a user with rights. */
export const defaultUser: ContainerUser = { uid: 65_532, gid: 65_532 }

export interface ContainerPlanInput {
  readonly spec: SandboxSpec
  readonly image: ImageFacts
  readonly guestVolume: string
  /** Volume of a /workspace that the agent may only read. */
  readonly workspaceVolume: string | undefined
  readonly user: ContainerUser
  /** OCI runtime; undefined: the engine's own choice. */
  readonly ociRuntime: string | undefined
  readonly gvisor: boolean
  readonly gpus: 'nvidia' | 'cdi' | undefined
  readonly labels: Readonly<Record<string, string>>
  /** Whether a tmpfs may belong to a user; Podman's may not. */
  readonly ownedTmpfs: boolean
}

/** Bytes of shared memory, at most: enough for the queues of Python's multiprocessing. */
const sharedMemoryMaxBytes = 64 << 20
/**
 * gVisor runs each thread of the agent by threads of its own, and dies when the host refuses one. So
 * it is itself told how many the agent may have, and what the host allows is but a backstop.
 */
const gvisorPids = { each: 4, besides: 256 }

/** The body that asks the engine for one sandbox. Nothing is asked; the result is plain data. */
export function planContainer(input: ContainerPlanInput): object {
  const { spec, image, user, guestVolume, workspaceVolume } = input
  const { limits } = spec
  const { quotaUs, periodUs } = cpuQuota(limits.cpuMillicores)
  return {
    Image: image.id,
    Entrypoint: [guestProgram],
    Cmd: [],
    User: `${user.uid}:${user.gid}`,
    WorkingDir: '/',
    Hostname: 'sandbox',
    Labels: input.labels,
    Healthcheck: { Test: ['NONE'] },
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    // An engine that starts again ends its containers, and the guest need not be asked politely.
    StopSignal: 'SIGKILL',
    // With this the OCI runtime makes the network namespace, in half the time of the engine's own.
    NetworkDisabled: true,
    HostConfig: {
      NetworkMode: 'none',
      IpcMode: 'private',
      CgroupnsMode: 'private',
      ReadonlyRootfs: true,
      MaskedPaths: maskedPaths,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Memory: limits.memoryBytes,
      // Memory and swap together: no swap.
      MemorySwap: limits.memoryBytes,
      CpuPeriod: periodUs,
      CpuQuota: quotaUs,
      ...processLimits(limits.pids, input.gvisor),
      ShmSize: Math.min(limits.diskBytes, sharedMemoryMaxBytes),
      Tmpfs: temporaryPlaces(input),
      Mounts: [
        volume(guestVolume, guestDirectory),
        ...(workspaceVolume === undefined ? [] : [volume(workspaceVolume, '/workspace')]),
        ...lentPaths(spec),
      ],
      LogConfig: { Type: 'none' },
      // The guest is the init, and the end of its wire is its own: nothing outlives AEGIS.
      Init: false,
      AutoRemove: true,
      ...(input.ociRuntime !== undefined && { Runtime: input.ociRuntime }),
      ...(limits.gpus !== undefined && {
        DeviceRequests: [graphicsCards(limits.gpus, input.gpus)],
      }),
    },
  }
}

/** What the engine hides by itself, and what else speaks of its host rather than of the sandbox. */
const maskedPaths = [
  ...['/proc/asound', '/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/proc/scsi'],
  ...['/sys/firmware', '/sys/devices/virtual/powercap'],
  ...['/proc/cmdline', '/proc/interrupts', '/proc/softirqs', '/proc/kallsyms', '/proc/modules'],
]

function processLimits(pids: number, gvisor: boolean): object {
  if (!gvisor) return { PidsLimit: pids }
  return {
    PidsLimit: pids * gvisorPids.each + gvisorPids.besides,
    Ulimits: [{ Name: 'nproc', Soft: pids, Hard: pids }],
  }
}

const volume = (name: string, path: string): object => ({
  Type: 'volume',
  Source: name,
  Target: path,
  ReadOnly: true,
  VolumeOptions: { NoCopy: true },
})

/** All that is writable has a size; what the image wants as a volume is such a place, too. */
function temporaryPlaces(input: ContainerPlanInput): Readonly<Record<string, string>> {
  const { spec, image, user, workspaceVolume, ownedTmpfs } = input
  const options = `rw,exec,nosuid,nodev,size=${spec.limits.diskBytes}`
  const forAll = `${options},mode=1777`
  const forUser = ownedTmpfs ? `${options},mode=0755,uid=${user.uid},gid=${user.gid}` : forAll
  const places: Record<string, string> = Object.fromEntries(
    image.volumes.map((path) => [path, forAll]),
  )
  places['/tmp'] = forAll
  places['/workspace'] = forUser
  for (const path of lentOnce(spec)) delete places[path]
  if (workspaceVolume !== undefined) delete places['/workspace']
  return places
}

const lentOnce = ({ filesystem }: SandboxSpec): readonly string[] => [
  ...new Set([...filesystem.read, ...filesystem.write]),
]

function lentPaths(spec: SandboxSpec): readonly object[] {
  const writable = new Set(spec.filesystem.write)
  return lentOnce(spec).map((path) => ({
    Type: 'bind',
    Source: path,
    Target: path,
    ReadOnly: !writable.has(path),
    // What is mounted below a path would stay writable in a read-only bind, so it is left out.
    BindOptions: { Propagation: 'rprivate', NonRecursive: !writable.has(path) },
  }))
}

function graphicsCards(count: number, by: ContainerPlanInput['gpus']): object {
  if (by !== 'cdi') return { Count: count, Capabilities: [['gpu']] }
  const names = Array.from({ length: count }, (_, index) => `nvidia.com/gpu=${index}`)
  return { Driver: 'cdi', DeviceIDs: names }
}
