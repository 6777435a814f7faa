import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ruleOf } from '../testing/open-egress-scene.ts'
import { ruleCovers } from './rule-covers.ts'

const covers = (rule: string, host: string, port = 443): boolean =>
  ruleCovers(ruleOf(rule), host, port)

describe('a rule of a manifest', () => {
  it.each([
    ['example.com', 'example.com', true],
    ['example.com', 'www.example.com', false],
    ['*.example.com', 'www.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'evilexample.com', false],
    ['*.example.com', 'example.com.evil.test', false],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/8', '10.example.com', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['2001:db8::/32', '2001:db8::7', true],
    ['2001:db8::/32', '2001:db9::7', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::/1', '10.1.2.3', false],
  ])('%s covers %s: %s', (rule, host, covered) => {
    expect(covers(rule, host)).toBe(covered)
  })

  it('covers 80 and 443 where it names no port, and else that one alone', () => {
    expect([80, 443, 8443].map((port) => covers('example.com', 'example.com', port))).toEqual([
      true,
      true,
      false,
    ])
    expect([80, 443, 8443].map((port) => covers('example.com:8443', 'example.com', port))).toEqual([
      false,
      false,
      true,
    ])
  })

  it('with a star covers nothing that does not end in a dot and its suffix', () => {
    fc.assert(
      fc.property(fc.domain(), (host) => {
        expect(covers('*.example.com', host)).toBe(host.endsWith('.example.com'))
      }),
    )
  })
})
