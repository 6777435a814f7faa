import type { Isolation, SandboxFigures } from '@aegis/core'
import { Gauge, Histogram, type Registry } from 'prom-client'

/** From a process to a machine on an emulated processor, in seconds; 0.125 is a machine's goal. */
const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.125, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** Names of phases are the runtimes' own; a mistake there must not grow what is kept. */
const maxPhases = 16
const phaseName = /^[a-z][a-z_]{0,31}$/

export interface SandboxMetrics extends Disposable {
  /** Asks for what is measured only when somebody wants to know. */
  refresh(): Promise<void>
}

/** Shows how long boots take and what machines occupy, by isolation: never by agent or sandbox. */
export function measureSandboxes(figures: SandboxFigures, registers: Registry[]): SandboxMetrics {
  const boots = new Histogram({
    name: 'aegis_sandbox_boot_seconds',
    help: 'Boots that succeeded, from their beginning to the hello of the guest',
    labelNames: ['isolation'],
    buckets,
    registers,
  })
  const phases = new Histogram({
    name: 'aegis_sandbox_boot_phase_seconds',
    help: 'Phases of boots; first_output: from when a sandbox had its task',
    labelNames: ['isolation', 'phase'],
    buckets,
    registers,
  })
  const resident = new Gauge({
    name: 'aegis_sandbox_resident_bytes',
    help: 'Memory of the host that live machines occupy, their monitors included',
    labelNames: ['isolation'],
    registers,
  })
  const largest = new Gauge({
    name: 'aegis_sandbox_resident_largest_bytes',
    help: 'Of that, what the largest machine occupies',
    labelNames: ['isolation'],
    registers,
  })
  const known = new Set<string>()
  const labelOf = (phase: string): string => {
    if (!known.has(phase) && (known.size === maxPhases || !phaseName.test(phase))) return 'other'
    known.add(phase)
    return phase
  }
  const observe = (isolation: Isolation, phase: string, ms: number): void =>
    phases.observe({ isolation, phase: labelOf(phase) }, ms / 1000)
  const listening = figures.onMoment((moment) => {
    const { isolation } = moment
    if (moment.kind === 'spoke') return observe(isolation, 'first_output', moment.afterMs)
    const took = Object.entries(moment.phases)
    for (const [phase, ms] of took) observe(isolation, phase, ms)
    boots.observe({ isolation }, took.reduce((sum, [, ms]) => sum + ms, 0) / 1000)
  })
  const measured = new Set<string>()

  return {
    async refresh() {
      const now = await figures.resident()
      // Once there were some, none is 0, which can be added up and drawn.
      for (const isolation of measured) {
        resident.set({ isolation }, 0)
        largest.set({ isolation }, 0)
      }
      for (const { isolation, bytes, largestBytes } of now) {
        measured.add(isolation)
        resident.set({ isolation }, bytes)
        largest.set({ isolation }, largestBytes)
      }
    },
    [Symbol.dispose]: () => listening[Symbol.dispose](),
  }
}
