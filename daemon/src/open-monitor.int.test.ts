import { expect, it } from 'vitest'
import { chosenDriver } from './open-monitor.ts'

const there = { firecracker_path: '/bin/true', jailer_path: '/bin/true' }
const auto = { driver: 'auto', starts_at_once: 8, snapshots: 16 } as const
const usable = { state: 'usable' } as const

it.each([
  ['Firecracker where both are there', { ...auto, ...there }, usable, true, 'firecracker'],
  ['QEMU where neither is there', auto, usable, true, 'qemu'],
  [
    'QEMU where KVM does not run code',
    { ...auto, ...there },
    { state: 'slow' } as const,
    true,
    'qemu',
  ],
  ['QEMU for whoever is not root', { ...auto, ...there }, usable, false, 'qemu'],
  ['what is named', { ...auto, driver: 'firecracker' } as const, usable, false, 'firecracker'],
])('takes %s', async (_, config, kvm, isRoot, driver) => {
  expect(await chosenDriver(config, kvm, isRoot)).toBe(driver)
})

it('does not fall back silently when a named path leads nowhere', async () => {
  const config = { ...auto, firecracker_path: '/nowhere/firecracker' }
  expect(await chosenDriver(config, usable, true)).toBe('firecracker')
})
