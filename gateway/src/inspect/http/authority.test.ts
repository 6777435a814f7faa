import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalHost } from '../../egress/canonical-host.ts'
import { authorityOf, parseAuthority } from './authority.ts'

describe('an authority', () => {
  it.each([
    ['example.com', 'example.com', 443],
    ['EXAMPLE.com.:8443', 'example.com', 8443],
    ['[2001:DB8:0::1]:80', '2001:db8::1', 80],
    ['192.0.2.1', '192.0.2.1', 443],
  ])('%s names a host and a port', (text, host, port) => {
    expect(parseAuthority(text, 443)).toEqual({ host, port })
  })

  it.each([
    '',
    ':80',
    'a@b',
    'a:b@c',
    'a/b',
    'a\\b',
    'a?b',
    'a#b',
    'a b',
    'a:',
    'a:0',
    'a:65536',
    'a:-1',
    'a:1:2',
    'a:8e1',
    '::1',
    '[::1',
    '[a]',
    '[::1]x',
    '2130706433',
    '0x7f.1',
    '127.1',
    'ex\u0430mple.com',
    'a..b',
    '%61',
    'a\r\nb',
  ])('%j names none that every program reads alike', (text) => {
    expect(parseAuthority(text, 443)).toBeUndefined()
  })

  it('is told as it was read, in one form', () => {
    const host = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((text) => `[${text}]`),
    )
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), (name, port) => {
        const parsed = parseAuthority(`${name}:${port}`, undefined)
        fc.pre(parsed !== undefined)
        if (parsed === undefined) return
        const text = authorityOf({ scheme: 'https', ...parsed })
        expect(parseAuthority(text, 443)).toEqual(parsed)
      }),
    )
  })

  it('never names a host that is not in its canonical form', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webAuthority()), (text) => {
        const parsed = parseAuthority(text, 80)
        if (parsed === undefined) return
        expect(canonicalHost(parsed.host)).toMatchObject({ host: parsed.host })
        expect(parsed.port).toBeGreaterThan(0)
      }),
      { numRuns: 2000 },
    )
  })
})
