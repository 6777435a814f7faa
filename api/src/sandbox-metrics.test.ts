import type { ResidentFigures, SandboxFigures, SandboxMoment } from '@aegis/core'
import { Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { measureSandboxes } from './sandbox-metrics.ts'

function scene() {
  const listeners = new Set<(moment: SandboxMoment) => void>()
  let resident: readonly ResidentFigures[] = []
  const figures: SandboxFigures = {
    onMoment(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    resident: async () => resident,
  }
  const registry = new Registry()
  const metrics = measureSandboxes(figures, [registry])
  return {
    metrics,
    listeners,
    tell: (moment: SandboxMoment) => {
      for (const listener of listeners) listener(moment)
    },
    occupy: (...now: readonly ResidentFigures[]) => {
      resident = now
    },
    async text() {
      await metrics.refresh()
      return registry.metrics()
    },
  }
}

describe('what is measured of sandboxes', () => {
  it('are boots in seconds, as a whole and by phase, apart for each isolation', async () => {
    const { tell, text } = scene()
    const phases = { prepare: 100, monitor: 20, kernel: 60, hello: 40 }
    tell({ kind: 'booted', isolation: 'firecracker', phases })
    tell({ kind: 'booted', isolation: 'process', phases: { spawn: 4 } })
    tell({ kind: 'spoke', isolation: 'firecracker', afterMs: 300 })
    const body = await text()
    for (const line of [
      'aegis_sandbox_boot_seconds_bucket{le="0.125",isolation="firecracker"} 0',
      'aegis_sandbox_boot_seconds_bucket{le="0.25",isolation="firecracker"} 1',
      'aegis_sandbox_boot_seconds_sum{isolation="firecracker"} 0.22',
      'aegis_sandbox_boot_seconds_count{isolation="process"} 1',
      'aegis_sandbox_boot_phase_seconds_sum{isolation="firecracker",phase="kernel"} 0.06',
      'aegis_sandbox_boot_phase_seconds_sum{isolation="process",phase="spawn"} 0.004',
      'aegis_sandbox_boot_phase_seconds_sum{isolation="firecracker",phase="first_output"} 0.3',
    ]) {
      expect(body).toContain(`${line}\n`)
    }
  })

  it('is the memory of machines that live now, all of it and the largest', async () => {
    const { occupy, text } = scene()
    expect(await text()).not.toContain('aegis_sandbox_resident_bytes{')
    occupy({ isolation: 'firecracker', bytes: 300, largestBytes: 200 })
    expect(await text()).toContain('aegis_sandbox_resident_bytes{isolation="firecracker"} 300\n')
    expect(await text()).toContain(
      'aegis_sandbox_resident_largest_bytes{isolation="firecracker"} 200\n',
    )
    occupy()
    expect(await text()).toContain('aegis_sandbox_resident_bytes{isolation="firecracker"} 0\n')
  })

  it('grows by no more than a few phases, whatever they are called', async () => {
    const { tell, text } = scene()
    const phases = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`phase_${'x'.repeat(i % 30)}`, 1]),
    )
    tell({ kind: 'booted', isolation: 'firecracker', phases })
    tell({ kind: 'booted', isolation: 'firecracker', phases: { 'a"} 1\nforged 1': 1 } })
    const body = await text()
    const counts = body.match(/^aegis_sandbox_boot_phase_seconds_count\{.*$/gm) ?? []
    expect(counts).toHaveLength(17)
    expect(counts.join('\n')).toContain('phase="other"')
    expect(body).not.toContain('forged')
  })

  it('is no longer followed once the API closes', () => {
    const { metrics, listeners } = scene()
    metrics[Symbol.dispose]()
    expect(listeners.size).toBe(0)
  })
})
