import type { AgentRequest } from '@aegis/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requestKey } from './request-key.ts'

const word = fc.constantFrom('a', 'b', 'a 443', '"', ',', '', 'a.com')
const http = fc.record({
  method: fc.constantFrom('GET', 'PUT'),
  path: word.map((text) => `/${text}`),
  headers: fc.dictionary(fc.constantFrom('accept', 'x'), word, { noNullPrototype: true }),
})
const request: fc.Arbitrary<AgentRequest> = fc.oneof(
  fc.record(
    {
      action: fc.constant('network.connect' as const),
      host: word,
      port: fc.constantFrom(80, 443),
      address: word,
      http,
    },
    { requiredKeys: ['action', 'host', 'port'] },
  ),
  fc.record({ action: fc.constant('dns.resolve' as const), name: word }),
  fc.record({ action: fc.constantFrom('fs.read' as const, 'fs.write' as const), path: word }),
  fc.record({
    action: fc.constant('secret.use' as const),
    secret: word,
    host: word,
    port: fc.constantFrom(80, 443),
  }),
)

/** Whatever its keys were written in. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  )

describe('the key of a request', () => {
  it('is that of no other request, where all headers count', () => {
    void fc.assert(
      fc.property(request, request, (one, other) => {
        if (requestKey(one, undefined) === requestKey(other, undefined)) {
          expect(canonical(one)).toBe(canonical(other))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('leaves out headers that no policy looks at, and their order', () => {
    const asked = (headers: Readonly<Record<string, string>>): AgentRequest => ({
      action: 'network.connect',
      host: 'a.com',
      port: 443,
      http: { method: 'GET', path: '/', headers },
    })
    const key = (headers: Readonly<Record<string, string>>) =>
      requestKey(asked(headers), new Set(['accept']))
    expect(key({ accept: '*', 'user-agent': 'x' })).toBe(key({ 'user-agent': 'y', accept: '*' }))
    expect(key({ accept: '*' })).not.toBe(key({ accept: 'a' }))
    expect(key({ accept: '*' })).not.toBe(key({}))
  })
})
