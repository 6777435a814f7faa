import { sandboxId } from '@aegis/core'
import { expect, it } from 'vitest'
import { limitsOf } from './qemu-limits.ts'

const disk = { path: '/x', readOnly: true }
const plan = {
  id: sandboxId('a'),
  vcpus: 1,
  memoryBytes: 128 << 20,
  kernel: { path: '/k', digest: '', arguments: [] },
  disks: { guest: disk, image: disk, scratch: disk },
  cpuMillicores: 250,
  guest: { memoryBytes: 64 << 20, pids: 10, readOnly: false },
  forSnapshot: false,
}
const host = (acceleration: 'kvm' | 'tcg', memory = true) => ({
  acceleration,
  limits: { enforced: { memory } },
})

it('gives an emulated machine four cores for one, and room for the code that is translated', () => {
  const [real, emulated] = [limitsOf(host('kvm'), plan), limitsOf(host('tcg'), plan)]
  expect([real.cpuMillicores, emulated.cpuMillicores]).toEqual([250, 1000])
  expect(emulated.memoryBytes - real.memoryBytes).toBe(64 << 20)
})

it('leaves room for what is only set aside, where that is what counts', () => {
  const { memoryBytes } = limitsOf(host('tcg'), plan)
  expect(limitsOf(host('tcg', false), plan).memoryBytes - memoryBytes).toBe(1 << 30)
})
