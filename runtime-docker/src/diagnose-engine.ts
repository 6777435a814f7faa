import { AegisError, type HostFinding } from '@aegis/core'
import { missingLimits, ordinaryRuntime, type SpecRules } from './container/check-docker-spec.ts'
import type { EngineEndpoint } from './engine/engine-endpoint.ts'
import type { EngineFacts } from './engine/engine-facts.ts'

/** What `aegis doctor` shows of an engine that answers. */
export function diagnoseEngine(
  facts: EngineFacts,
  endpoint: EngineEndpoint,
  rules: SpecRules,
): readonly HostFinding[] {
  return [
    engine(facts, endpoint),
    ...door(endpoint),
    limits(facts, rules),
    isolation(facts),
    gvisor(facts),
    ...(facts.gpus === undefined
      ? []
      : [{ name: 'docker gpus', state: 'ok' as const, detail: facts.gpus }]),
  ]
}

/** What it shows of one that does not. */
export function diagnoseAbsence(error: unknown): readonly HostFinding[] {
  if (error instanceof DOMException && error.name === 'TimeoutError') return [hanging]
  if (!(error instanceof AegisError)) throw error
  const [, detail = error.message, remedy] = /^(.*?)\. ([A-Z].*)$/s.exec(error.message) ?? []
  return [
    {
      name: 'docker',
      state: 'missing',
      detail: `no containers: ${detail}`,
      remedy: remedy ?? 'apt-get install docker.io && systemctl start docker',
    },
  ]
}

const hanging: HostFinding = {
  name: 'docker',
  state: 'missing',
  detail: 'no containers: the engine accepts connections and does not answer',
  remedy: 'systemctl restart docker',
}

function engine(facts: EngineFacts, { name }: EngineEndpoint): HostFinding {
  const { version, apiVersion, podman, rootless, operatingSystem } = facts
  const kind = `${podman ? 'Podman' : 'Docker'} ${version}${rootless ? ', rootless' : ''}`
  return {
    name: 'docker',
    state: 'ok',
    detail: `${kind} at ${name}, API ${apiVersion}, on ${operatingSystem}`,
  }
}

function door(endpoint: EngineEndpoint): readonly HostFinding[] {
  if (endpoint.kind === 'unix' || endpoint.tls !== undefined) return []
  return [
    {
      name: 'docker connection',
      state: 'warning',
      detail: `${endpoint.name} is not encrypted: who can reach it is root on its host`,
      remedy:
        'Protect the engine with TLS and set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH, or forward its socket over SSH',
    },
  ]
}

function limits(facts: EngineFacts, { ociRuntime, allowWeaker }: SpecRules): HostFinding {
  const name = 'docker limits'
  const { version, driver } = facts.cgroups
  const missing = missingLimits(facts, ordinaryRuntime(facts, ociRuntime))
  const cgroups = `cgroup v${version} (${driver})`
  if (missing.length > 0)
    return {
      name,
      state: allowWeaker.includes('cgroup') ? 'warning' : 'missing',
      detail: `${cgroups} does not limit ${missing.join(', ')}`,
      remedy: facts.rootless
        ? 'Delegate the controllers to the user of the engine: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids'
        : 'Boot the host with cgroup_enable=memory, and let the OCI runtime keep cgroups (no --ignore-cgroups)',
    }
  if (!facts.limits.swap)
    return {
      name,
      state: 'warning',
      detail: `${cgroups}: memory, cpu, pids; but a sandbox may use swap beyond its memory`,
      remedy: 'Turn swap off (swapoff -a), or boot the host with swapaccount=1',
    }
  return { name, state: 'ok', detail: `${cgroups}: memory, cpu, pids` }
}

function isolation({ seccomp, userNamespaces, rootless }: EngineFacts): HostFinding {
  const name = 'docker isolation'
  const users = userNamespaces || rootless ? 'users of their own' : "the host's users"
  if (seccomp) return { name, state: 'ok', detail: `seccomp, ${users}` }
  return {
    name,
    state: 'warning',
    detail: `no seccomp profile of the engine, ${users}; the guest filters the agent's system calls still`,
    remedy: 'Remove "seccomp-profile": "unconfined" from the engine\'s daemon.json',
  }
}

function gvisor({ runtimes }: EngineFacts): HostFinding {
  const name = 'gvisor'
  const found = runtimes.filter((runtime) => runtime.gvisor)
  const [first] = found
  if (first === undefined)
    return {
      name,
      state: 'warning',
      detail: 'not registered: spec.runtime.sandbox: gvisor is refused',
      remedy:
        'Install runsc and register it: runsc install -- --network=none && systemctl reload docker',
    }
  const names = found.map((runtime) => runtime.name).join(', ')
  if (first.limits) return { name, state: 'ok', detail: names }
  return {
    name,
    state: 'warning',
    detail: `${names}, told to ignore cgroups: no limits`,
    remedy: "Remove --ignore-cgroups from its runtimeArgs in the engine's daemon.json",
  }
}
