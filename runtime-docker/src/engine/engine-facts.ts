import * as z from 'zod'
import type { EngineClient } from './engine-client.ts'

/** What an engine says of itself and its host. */
export interface EngineFacts {
  readonly version: string
  readonly apiVersion: string
  readonly podman: boolean
  /** As `uname -m` says: `x86_64`. */
  readonly architecture: string
  readonly operatingSystem: string
  /** Of the machine it runs on. */
  readonly hostName: string
  readonly cgroups: { readonly version: string; readonly driver: string }
  readonly limits: {
    readonly cpu: boolean
    readonly memory: boolean
    readonly pids: boolean
    /** Whether swap counts as memory. */
    readonly swap: boolean
  }
  readonly runtimes: readonly EngineRuntime[]
  readonly defaultRuntime: string
  readonly rootless: boolean
  /** Users inside are others outside. */
  readonly userNamespaces: boolean
  readonly seccomp: boolean
  /** How graphics cards are asked for; undefined when there are none. */
  readonly gpus: 'nvidia' | 'cdi' | undefined
}

/** An OCI runtime that the engine knows. */
export interface EngineRuntime {
  readonly name: string
  readonly gvisor: boolean
  /** Whether it keeps the limits of its containers. */
  readonly limits: boolean
}

const text = z.string().max(10_000).default('')
const runtime = z.object({
  path: text.nullish(),
  runtimeType: text.nullish(),
  runtimeArgs: z.array(text).nullish(),
})
const info = z.object({
  ServerVersion: text,
  Name: text,
  Architecture: text,
  OperatingSystem: text,
  CgroupDriver: text,
  CgroupVersion: text,
  MemoryLimit: z.boolean().default(false),
  SwapLimit: z.boolean().default(false),
  PidsLimit: z.boolean().default(false),
  CpuCfsQuota: z.boolean().default(false),
  DefaultRuntime: text,
  Runtimes: z.record(z.string(), runtime.nullable()).nullish(),
  SecurityOptions: z.array(text).nullish(),
  DiscoveredDevices: z.array(z.object({ Source: text, ID: text })).nullish(),
})

/** Asks the engine. */
export async function readEngineFacts(
  client: EngineClient,
  signal: AbortSignal,
): Promise<EngineFacts> {
  const [{ apiVersion, podman }, said] = await Promise.all([
    client.identify(signal),
    client.call(info, { method: 'GET', path: '/info' }, signal),
  ])
  const secured = (said.SecurityOptions ?? []).map((option) => option.replace(/^name=/, ''))
  const has = (name: string) => secured.some((option) => option.split(',')[0] === name)
  const runtimes = Object.entries(said.Runtimes ?? {}).map(([name, about]) =>
    runtimeOf(name, about ?? {}),
  )
  return {
    version: said.ServerVersion,
    apiVersion,
    podman,
    architecture: said.Architecture,
    operatingSystem: said.OperatingSystem,
    hostName: said.Name,
    cgroups: { version: said.CgroupVersion || '1', driver: said.CgroupDriver },
    limits: {
      cpu: said.CpuCfsQuota,
      memory: said.MemoryLimit,
      pids: said.PidsLimit,
      swap: said.SwapLimit,
    },
    runtimes,
    defaultRuntime: said.DefaultRuntime,
    rootless: has('rootless'),
    userNamespaces: has('userns'),
    seccomp: has('seccomp') && !secured.includes('seccomp,profile=unconfined'),
    gpus: gpusOf(runtimes, said.DiscoveredDevices ?? []),
  }
}

function runtimeOf(name: string, about: z.infer<typeof runtime>): EngineRuntime {
  const program = (about.path ?? '').split('/').at(-1) ?? ''
  const gvisor =
    [name, program].some((one) => one.startsWith('runsc')) ||
    (about.runtimeType ?? '').includes('runsc')
  const ignores = (about.runtimeArgs ?? []).some((word) => /^--?ignore-cgroups(=true)?$/.test(word))
  return { name, gvisor, limits: !ignores }
}

function gpusOf(
  runtimes: readonly EngineRuntime[],
  devices: readonly { readonly Source: string; readonly ID: string }[],
): EngineFacts['gpus'] {
  if (runtimes.some(({ name }) => name === 'nvidia')) return 'nvidia'
  return devices.some(({ ID }) => ID.startsWith('nvidia.com/gpu')) ? 'cdi' : undefined
}
