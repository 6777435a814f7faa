import type { HostFinding } from '@aegis/core'
import type { KvmProbe } from './probe-kvm.ts'

/** What `aegis doctor` shows of /dev/kvm. Without it machines run, but by emulation. */
export function diagnoseKvm({ state, detail, nsPerLoop }: KvmProbe): HostFinding {
  const name = 'KVM'
  switch (state) {
    case 'usable':
      return { name, state: 'ok', detail: 'runs the code of machines' }
    case 'slow': {
      const pace =
        nsPerLoop === undefined ? '' : ` (${Math.round(nsPerLoop)} ns for two instructions)`
      return { name, state: 'warning', detail: `${detail}${pace}; ${emulated}`, remedy: elsewhere }
    }
    case 'broken':
      return { name, state: 'warning', detail: `${detail}; ${emulated}`, remedy: elsewhere }
    case 'denied':
      return {
        name,
        state: 'warning',
        detail: `${detail}; ${emulated}`,
        remedy: 'Run the daemon as root, or: usermod --append --groups kvm USER, and log in again',
      }
    case 'absent':
      return {
        name,
        state: 'warning',
        detail: `${detail}; ${emulated}`,
        remedy:
          'modprobe kvm_intel || modprobe kvm_amd; else turn virtualisation on in the firmware, or nested virtualisation for this VM',
      }
  }
}

const emulated = 'Firecracker cannot run, and QEMU emulates the processor'
const elsewhere =
  'Use a host, or a kind of cloud machine, with hardware virtualisation (or nested virtualisation that offers it)'
