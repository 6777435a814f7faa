import { AegisError, type SandboxSpec } from '@aegis/core'
import { checkSpecValues } from '@aegis/sandbox'
import { defaultSocketPath } from '../engine/engine-endpoint.ts'
import type { EngineFacts, EngineRuntime } from '../engine/engine-facts.ts'

/** A weaker form of a protection that the operator accepts by name. */
export type WeakerForm = 'cgroup'

export interface SpecRules {
  /** What the operator wants all containers to run by. */
  readonly ociRuntime: string | undefined
  readonly allowWeaker: readonly WeakerForm[]
  /** As `process.arch` says: what the guest was compiled for. */
  readonly guestArchitecture: string
}

/** How a spec is run on an engine. */
export interface DockerChoice {
  /** Undefined: the engine's own choice. */
  readonly ociRuntime: string | undefined
  readonly gvisor: boolean
}

/**
 * Refuses what this engine cannot isolate or limit as the spec says.
 * @throws AegisError `invalid` · `unsupported` / `sandbox.runtime`, `sandbox.gpus`,
 * `sandbox.limits`, `sandbox.architecture`
 */
export function checkDockerSpec(
  spec: SandboxSpec,
  facts: EngineFacts,
  rules: SpecRules,
): DockerChoice {
  checkSpecValues(spec)
  checkArchitecture(facts, rules)
  const runtime = chooseRuntime(spec, facts, rules)
  if (spec.limits.gpus !== undefined && facts.gpus === undefined)
    throw new AegisError(
      'unsupported',
      'sandbox.gpus',
      'The Docker engine offers no graphics cards. Install the NVIDIA Container Toolkit on its host (nvidia-ctk runtime configure), or remove spec.security.resources.gpu',
    )
  checkLimits(facts, runtime, rules)
  return {
    ociRuntime: runtime?.name === facts.defaultRuntime ? undefined : runtime?.name,
    gvisor: runtime?.gvisor ?? false,
  }
}

/** Where the limits of a runtime are not kept, which. */
export function missingLimits(
  { limits }: EngineFacts,
  runtime: EngineRuntime | undefined,
): readonly string[] {
  const kept = runtime?.limits ?? true
  return (['cpu', 'memory', 'pids'] as const).filter((name) => !kept || !limits[name])
}

/** The OCI runtime that the operator wants, or the engine's own. */
export function ordinaryRuntime(
  facts: EngineFacts,
  ociRuntime: string | undefined,
): EngineRuntime | undefined {
  const name = ociRuntime ?? facts.defaultRuntime
  return facts.runtimes.find((runtime) => runtime.name === name)
}

function chooseRuntime(
  spec: SandboxSpec,
  facts: EngineFacts,
  { ociRuntime }: SpecRules,
): EngineRuntime | undefined {
  const ordinary = ordinaryRuntime(facts, ociRuntime)
  if (ociRuntime !== undefined && ordinary === undefined)
    throw new AegisError(
      'unsupported',
      'sandbox.runtime',
      `The Docker engine knows no OCI runtime ${ociRuntime} (it knows: ${facts.runtimes.map(({ name }) => name).join(', ')}). Add it to "runtimes" in the engine's daemon.json, or correct spec.runtime.docker_runtime in the node config`,
    )
  if (spec.applicationKernel === undefined || ordinary?.gvisor) return ordinary
  const gvisor = facts.runtimes.find((runtime) => runtime.gvisor)
  if (gvisor !== undefined) return gvisor
  throw new AegisError(
    'unsupported',
    'sandbox.runtime',
    'The Docker engine has no gVisor. Install runsc on its host and register it: runsc install -- --network=none && systemctl reload docker; or remove spec.runtime.sandbox',
  )
}

function checkLimits(
  facts: EngineFacts,
  runtime: EngineRuntime | undefined,
  { allowWeaker }: SpecRules,
): void {
  const missing = missingLimits(facts, runtime)
  if (missing.length === 0 || allowWeaker.includes('cgroup')) return
  throw new AegisError(
    'unsupported',
    'sandbox.limits',
    `The Docker engine does not limit ${missing.join(', ')}${runtime?.limits === false ? ` by ${runtime.name}, which is told to ignore cgroups` : ''}. See aegis doctor for the remedy, or allow sandboxes without these limits by name: allow_weaker: [cgroup]`,
  )
}

const architectures: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' }

function checkArchitecture(facts: EngineFacts, { guestArchitecture }: SpecRules): void {
  const there = architectures[facts.architecture] ?? facts.architecture
  if (facts.architecture === '' || there === guestArchitecture) return
  throw new AegisError(
    'unsupported',
    'sandbox.architecture',
    `The Docker engine runs on ${facts.architecture}, and this AEGIS brings a guest for ${guestArchitecture}. Use an engine on a machine like this one (not ${defaultSocketPath} of another)`,
  )
}
