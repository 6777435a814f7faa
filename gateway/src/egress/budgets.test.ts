import type { EgressLimits } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { makeBudgets } from './budgets.ts'
import { makeByteRate } from './byte-rate.ts'

function openScene(changes: Partial<EgressLimits>) {
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs }
  const budgets = makeBudgets({ ...anIdentity().egress.limits, ...changes }, clock)
  return { clock, budgets }
}

describe('the budget of connections', () => {
  it('at a time gives each place back', () => {
    const { budgets } = openScene({ connections: 2 })
    expect(budgets.open('a')).toBeUndefined()
    expect(budgets.open('b')).toBeUndefined()
    expect(budgets.open('c')).toEqual({
      code: 'egress.budget-connections',
      reason:
        'No more than 2 connections may be open at a time. Raise spec.security.network.limits.connections of the manifest, within spec.security.egress.limits of the node.',
    })
    budgets.close()
    expect(budgets.open('c')).toBeUndefined()
  })

  it('in a minute holds in any 60 seconds', () => {
    const { budgets, clock } = openScene({ connectionsPerMinute: 3, connections: 1000 })
    const times = [0, 30_000, 59_999, 59_999, 60_000, 89_999, 90_000]
    const opened = times.map((nowMs) => {
      clock.nowMs = nowMs
      return budgets.open('a')?.code ?? 'open'
    })
    const refused = 'egress.budget-connections-per-minute'
    expect(opened).toEqual(['open', 'open', 'open', refused, 'open', refused, 'open'])
  })

  it('counts different hosts', () => {
    const { budgets } = openScene({ connections: 1e6, connectionsPerMinute: 1e6 })
    for (let host = 0; host < limits.egressHosts; host += 1) budgets.open(`h${host}`)
    expect(budgets.open('one-more')?.code).toBe('egress.budget-hosts')
    expect(budgets.open('h0')).toBeUndefined()
  })
})

describe('the budget of bytes', () => {
  it('holds to the byte, for each host and for all, in each direction by itself', () => {
    const { budgets } = openScene({ hostBytesIn: 10, bytesIn: 15, hostBytesOut: 3, bytesOut: 100 })
    for (const host of ['a', 'b']) budgets.open(host)
    expect(budgets.take('a', 'in', 10)).toBeUndefined()
    expect(budgets.take('a', 'in', 1)).toMatchObject({
      code: 'egress.budget-host-bytes-in',
      reason: expect.stringContaining('No more than 10 bytes may be received from a'),
    })
    expect(budgets.take('a', 'out', 3)).toBeUndefined()
    expect(budgets.take('a', 'out', 1)?.reason).toContain('network.limits.host_bytes_out')
    expect(budgets.take('b', 'in', 5)).toBeUndefined()
    expect(budgets.take('b', 'in', 1)?.code).toBe('egress.budget-bytes-in')
  })

  it('is used up by what had to be cut, so that no connection fetches another piece', () => {
    const { budgets } = openScene({ hostBytesIn: 10 })
    budgets.open('a')
    expect(budgets.take('a', 'in', 11)?.code).toBe('egress.budget-host-bytes-in')
    expect(budgets.take('a', 'in', 1)?.code).toBe('egress.budget-host-bytes-in')
    expect(budgets.open('a')?.code).toBe('egress.budget-host-bytes-in')
  })

  it('lets no connection begin that could not pass a byte', () => {
    const { budgets } = openScene({ hostBytesIn: 10 })
    budgets.open('a')
    budgets.take('a', 'in', 10)
    expect(budgets.open('a')?.code).toBe('egress.budget-host-bytes-in')
    expect(budgets.open('b')).toBeUndefined()
  })

  it('is never exceeded, whatever is taken', () => {
    const taken = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(50)), { maxLength: 60 })
    fc.assert(
      fc.property(taken, (all) => {
        const { budgets } = openScene({ hostBytesOut: 100, bytesOut: 200 })
        const passed = new Map<string, number>()
        for (const host of ['a', 'b', 'c']) budgets.open(host)
        for (const [host, bytes] of all) {
          if (budgets.take(host, 'out', bytes) !== undefined) continue
          passed.set(host, (passed.get(host) ?? 0) + bytes)
        }
        const sums = [...passed.values()]
        expect(Math.max(0, ...sums)).toBeLessThanOrEqual(100)
        expect(sums.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(200)
      }),
    )
  })
})

describe('the rate of bytes', () => {
  it('is kept over any time by who waits as told', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 65_536 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(sizes, (chunks) => {
        const clock = { nowMs: 0, monotonicMs: () => clock.nowMs }
        const rate = makeByteRate(10_000, clock)
        let passed = 0
        for (const bytes of chunks) {
          passed += bytes
          clock.nowMs += rate.take(bytes)
          expect(passed).toBeLessThanOrEqual(2_500 + clock.nowMs * 10 + 0.001)
        }
      }),
    )
  })

  it('costs no wait to who stays below it', () => {
    const clock = { nowMs: 0, monotonicMs: () => clock.nowMs }
    const rate = makeByteRate(1000, clock)
    for (; clock.nowMs < 10_000; clock.nowMs += 100) expect(rate.take(99)).toBe(0)
  })
})
