import type { HostFinding } from '@aegis/core'
import type { HostFacts } from './host-facts.ts'

/** What `aegis doctor` shows of a host that runs Firecracker, besides whether KVM runs code. */
export function diagnoseHost(facts: HostFacts): readonly HostFinding[] {
  return [
    kernel(facts),
    cgroups(facts),
    smt(facts),
    ksm(facts),
    swap(facts),
    cpu(facts),
    uids(facts),
  ]
}

/** The lines of Linux that Firecracker is tested on. */
const testedKernels = ['5.10', '6.1', '6.18']

function kernel({ kernel }: HostFacts): HostFinding {
  const name = 'host kernel'
  const line = /^\d+\.\d+/.exec(kernel)?.[0] ?? kernel
  if (testedKernels.includes(line)) return { name, state: 'ok', detail: kernel }
  return {
    name,
    state: 'warning',
    detail: `Linux ${kernel} is not one that Firecracker is tested on`,
    remedy: `Boot a kernel of the line ${testedKernels.join(', ')}`,
  }
}

function cgroups({ cgroupVersion }: HostFacts): HostFinding {
  const name = 'cgroup version'
  if (cgroupVersion === 2) return { name, state: 'ok', detail: 'version 2' }
  return {
    name,
    state: 'warning',
    detail:
      cgroupVersion === 1 ? 'version 1, where snapshots are restored slowly' : 'none is mounted',
    remedy: 'Boot the host with systemd.unified_cgroup_hierarchy=1',
  }
}

const smt = ({ smt }: HostFacts): HostFinding =>
  smt
    ? {
        name: 'SMT',
        state: 'warning',
        detail: 'on: machines of two tenants may share a core, and learn of one another',
        remedy: 'echo off > /sys/devices/system/cpu/smt/control, or boot with nosmt',
      }
    : { name: 'SMT', state: 'ok', detail: 'off' }

const ksm = ({ ksm }: HostFacts): HostFinding =>
  ksm
    ? {
        name: 'KSM',
        state: 'warning',
        detail: 'on: a machine can find out what another has in its memory',
        remedy: 'echo 0 > /sys/kernel/mm/ksm/run',
      }
    : { name: 'KSM', state: 'ok', detail: 'off' }

const swap = ({ swap }: HostFacts): HostFinding =>
  swap
    ? {
        name: 'swap',
        state: 'warning',
        detail: 'on: the memory of machines may be written to the disk and stay there',
        remedy: 'swapoff -a, and remove it from /etc/fstab',
      }
    : { name: 'swap', state: 'ok', detail: 'off' }

function cpu({ vulnerable }: HostFacts): HostFinding {
  const name = 'processor'
  if (vulnerable.length === 0)
    return { name, state: 'ok', detail: 'every known weakness is seen to' }
  return {
    name,
    state: 'warning',
    detail: `nothing is done about ${vulnerable.join(', ')}`,
    remedy: 'Update kernel and microcode, and boot without mitigations=off',
  }
}

function uids({ namedUsers }: HostFacts): HostFinding {
  const name = 'users of machines'
  if (namedUsers.length === 0) return { name, state: 'ok', detail: 'nobody else has their uids' }
  return {
    name,
    state: 'warning',
    detail: `uids of machines belong to ${namedUsers.slice(0, 5).join(', ')}`,
    remedy: 'Name another range: spec.runtime.uid_range in the node config',
  }
}
