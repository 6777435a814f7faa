import { expect, it } from 'vitest'
import { checkLimits, diagnoseLimits } from './check-limits.ts'

const none = {
  description: 'no writable cgroup',
  enforced: { cpu: false, memory: false, pids: false },
  remedy: 'mkdir it',
}
const all = {
  description: 'cgroup v2',
  enforced: { cpu: true, memory: true, pids: true },
  remedy: undefined,
}

it('refuses a host that cannot limit the cpu of a machine, unless that is allowed by name', () => {
  expect(() => checkLimits(none, [])).toThrow(/no writable cgroup. Remedy: mkdir it/)
  expect(() => checkLimits(none, ['cgroup'])).not.toThrow()
  expect(() => checkLimits(all, [])).not.toThrow()
})

it('tells of it, with the remedy', () => {
  const remedy = 'mkdir it'
  expect(diagnoseLimits(none, [])).toMatchObject({ state: 'missing', remedy })
  expect(diagnoseLimits(none, ['cgroup'])).toMatchObject({ state: 'warning', remedy })
  expect(diagnoseLimits(all, [])).toMatchObject({ state: 'ok' })
})
