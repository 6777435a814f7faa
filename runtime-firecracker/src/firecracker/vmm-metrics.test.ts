import fc from 'fast-check'
import { expect, it } from 'vitest'
import { violations } from './vmm-metrics.ts'

it('tells of forbidden system calls, and of nothing when there were none', () => {
  const line = (faults: number) =>
    `${JSON.stringify({ seccomp: { num_faults: faults }, more: 1 })}\n`
  expect(violations(line(0))).toBe('')
  expect(violations(`cut off}\n${line(2)}${line(1)}`)).toBe(
    '3 system calls that its filter forbids',
  )
})

it('takes any words', () => {
  fc.assert(fc.property(fc.string(), (text) => void violations(text)))
})
