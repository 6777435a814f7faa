import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checkNetwork, guestNetwork } from './guest-network.ts'
import { ipv4Number } from './wire/addresses.ts'
import { encodeConfiguration } from './wire/messages.ts'

const range = { first: '198.18.0.2', count: 131_000 }

const label = fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/)
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const network = fc.record({
  names: fc.array(name, { maxLength: 60 }),
  suffixes: fc.array(name, { maxLength: 10 }),
  ports: fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 60 }),
  proxy: fc.boolean(),
})

it('gives no address twice, and none beyond its range', () => {
  fc.assert(
    fc.property(network, fc.array(name, { maxLength: 3 }), (asked, own) => {
      const localNames = [...new Set(own)].map((one) => ({ name: one, address: '127.0.0.1' }))
      const { names, pool } = guestNetwork(asked, range, localNames)
      const given = names.slice(localNames.length).map(({ address }) => ipv4Number(address))
      const pooled = Array.from({ length: pool.size }, (_, at) => ipv4Number(pool.first) + at)
      const all = [...given, ...pooled]
      expect(new Set(all).size).toBe(all.length)
      for (const address of all) {
        expect(address).toBeGreaterThanOrEqual(ipv4Number(range.first))
        expect(address).toBeLessThan(ipv4Number(range.first) + range.count)
      }
      expect(names.map((entry) => entry.name)).toEqual([
        ...new Set([...localNames.map((entry) => entry.name), ...asked.names]),
      ])
    }),
  )
})

it('is always what a guest takes, when it was checked', () => {
  fc.assert(
    fc.property(network, (asked) => {
      checkNetwork(asked)
      const { listeners } = guestNetwork(asked, range)
      expect(new Set(listeners.map(({ address, port }) => `${address}:${port}`)).size).toBe(
        listeners.length,
      )
      expect(encodeConfiguration(guestNetwork(asked, range)).length).toBeGreaterThan(20)
    }),
  )
})

it('is the agent API and nothing else where a sandbox has none', () => {
  expect(guestNetwork(undefined, range)).toEqual({
    listeners: [{ target: 'agent-api', address: '127.0.0.1', port: 8000 }],
    names: [],
    pool: { suffixes: [], first: '198.18.0.2', size: 0 },
  })
})

it('does not hand out more addresses than there are', () => {
  const names = ['a.example', 'b.example', 'c.example']
  const asked = { names, suffixes: ['example.org'], ports: [], proxy: false }
  expect(guestNetwork(asked, { first: '127.64.0.1', count: 5 }).pool.size).toBe(2)
  expect(() => guestNetwork(asked, { first: '127.64.0.1', count: 2 })).toThrow(RangeError)
})

it.each([
  ['a name in capitals', { names: ['A.example'] }],
  ['a name with a dot at its end', { names: ['a.example.'] }],
  ['an address for a name', { names: ['10.0.0.1'] }],
  ['a number in disguise', { names: ['0x7f.0x1'] }],
  ['a name with a line break', { names: ['a.example\n'] }],
  ['a long label', { names: [`${'a'.repeat(64)}.example`] }],
  ['an empty suffix', { suffixes: [''] }],
  ['a suffix with a star', { suffixes: ['*.example'] }],
  ['port 0', { ports: [0] }],
  ['a port beyond all', { ports: [65_536] }],
  ['half a port', { ports: [80.5] }],
  ['too many names', { names: Array.from({ length: 1001 }, (_, at) => `n${at}.example`) }],
])('is refused for %s', (_what, wrong) => {
  const fine = { names: [], suffixes: [], ports: [], proxy: false }
  expect(() => checkNetwork(fine)).not.toThrow()
  expect(() => checkNetwork({ ...fine, ...wrong })).toThrow(
    expect.objectContaining({ kind: 'invalid', code: 'sandbox.network' }),
  )
})
