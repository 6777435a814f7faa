import type { HostFinding } from '@aegis/core'
import type { LimitBackend, UserLeases } from '@aegis/sandbox'
import type { HostProbe } from './host-probe.ts'
import type { Interpreters } from './interpreters.ts'

export interface DiagnoseInput {
  readonly probe: HostProbe
  readonly limits: LimitBackend
  readonly weaker: readonly string[]
  readonly interpreters: Interpreters
  /** Present when we are root. */
  readonly users: UserLeases | undefined
}

/** What `aegis doctor` shows of the process runtime. */
export function diagnoseHost(input: DiagnoseInput): readonly HostFinding[] {
  return [
    bubblewrap(input.probe),
    ...namespaces(input.probe),
    cgroups(input.limits, input.weaker),
    python(input.interpreters),
    user(input.users),
  ]
}

function bubblewrap(probe: HostProbe): HostFinding {
  const name = 'bubblewrap'
  if (!probe.works && probe.bwrapVersion === undefined)
    return { name, state: 'missing', detail: probe.because, remedy: probe.remedy }
  return { name, state: 'ok', detail: `version ${probe.bwrapVersion}` }
}

function namespaces(probe: HostProbe): readonly HostFinding[] {
  const name = 'namespaces'
  const detail = 'user, mount, pid, net, ipc, uts and cgroup'
  if (probe.works && probe.launcherNetwork) return [{ name, state: 'ok', detail }]
  if (probe.works)
    return [
      {
        name,
        state: 'warning',
        detail: `${detail}; but only bubblewrap may make them, so names do not resolve inside`,
        remedy:
          'Run the daemon as root, or let other programs make user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
      },
    ]
  if (probe.bwrapVersion === undefined) return []
  return [{ name, state: 'missing', detail: probe.because, remedy: probe.remedy }]
}

function cgroups(limits: LimitBackend, weaker: readonly string[]): HostFinding {
  const name = 'cgroups'
  if (limits.remedy === undefined)
    return { name, state: 'ok', detail: `${limits.description}: memory, cpu, pids` }
  const allowed = weaker.includes('cgroup')
  return {
    name,
    state: allowed ? 'warning' : 'missing',
    detail: allowed
      ? `${limits.description}; sandboxes run with limits per process only, as the configuration allows`
      : limits.description,
    remedy: limits.remedy,
  }
}

function python({ pythonPath }: Interpreters): HostFinding {
  const name = 'python3'
  if (pythonPath !== undefined) return { name, state: 'ok', detail: pythonPath }
  return {
    name,
    state: 'warning',
    detail: 'not found: agents in Python cannot run, agents in JavaScript can',
    remedy: 'apt-get install python3',
  }
}

function user(users: UserLeases | undefined): HostFinding {
  const name = 'sandbox users'
  if (users === undefined)
    return { name, state: 'ok', detail: 'sandboxes run as the user of the daemon' }
  return {
    name,
    state: 'ok',
    detail: `each sandbox gets a host uid of its own, from ${users.first} on`,
  }
}
