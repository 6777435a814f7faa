import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNetworkEntry } from './network-entry.ts'

describe('parseNetworkEntry', () => {
  it.each([
    ['example.com', { kind: 'host', host: 'example.com' }],
    ['api.example.com:8443', { kind: 'host', host: 'api.example.com', port: 8443 }],
    ['localhost:5432', { kind: 'host', host: 'localhost', port: 5432 }],
    ['xn--mller-kva.de', { kind: 'host', host: 'xn--mller-kva.de' }],
    ['*.example.com', { kind: 'suffix', suffix: 'example.com' }],
    ['*.example.com:443', { kind: 'suffix', suffix: 'example.com', port: 443 }],
    ['10.1.0.0/16', { kind: 'cidr', address: '10.1.0.0', prefixLength: 16 }],
    ['10.1.0.0/16:5432', { kind: 'cidr', address: '10.1.0.0', prefixLength: 16, port: 5432 }],
    ['192.0.2.7', { kind: 'cidr', address: '192.0.2.7', prefixLength: 32 }],
    ['192.0.2.7:22', { kind: 'cidr', address: '192.0.2.7', prefixLength: 32, port: 22 }],
    ['2001:db8::/32', { kind: 'cidr', address: '2001:db8::', prefixLength: 32 }],
    ['[2001:db8::/32]:443', { kind: 'cidr', address: '2001:db8::', prefixLength: 32, port: 443 }],
    ['2001:db8::1', { kind: 'cidr', address: '2001:db8::1', prefixLength: 128 }],
    ['::ffff:192.0.2.1', { kind: 'cidr', address: '::ffff:192.0.2.1', prefixLength: 128 }],
  ])('reads %s', (text, entry) => {
    expect(parseNetworkEntry(text)).toEqual(entry)
  })

  it.each([
    '',
    '*',
    '*.',
    '*.*.com',
    'a.*.com',
    '.example.com',
    'example..com',
    'example.com.',
    '-a.com',
    'a-.com',
    'a b.com',
    'https://example.com',
    'example.com/path',
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:080',
    'example.com:443:444',
    '999.1.1.1',
    '127.1',
    '010.0.0.1',
    '0x7f000001',
    '2130706433',
    '10.0.0.0/',
    '10.0.0.0/0',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    '2001:db8::/129',
    '2001:db8:::1',
    '1:2:3:4:5:6:7:8:9',
    '[example.com]:443',
    '[::1',
    '::1::',
    'user@example.com',
    'exämple.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}com`,
  ])('refuses %j with a remedy', (text) => {
    const finding = parseNetworkEntry(text)
    expect(finding).toHaveProperty('message')
    expect(finding).toHaveProperty('remedy', expect.stringMatching(/\w/))
  })

  it('reads an entry or says what is wrong, whatever the text', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:*/[\]-]{0,30}$/))
    fc.assert(
      fc.property(texts, (text) => {
        const entry = parseNetworkEntry(text)
        if ('message' in entry) expect(entry.remedy).not.toBe('')
        else expect(entry.port ?? 80).toBeGreaterThan(0)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([fc.ipV4(), fc.ipV6(), fc.domain()])('reads every address and name', (texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(parseNetworkEntry(text.toLowerCase())).not.toHaveProperty('message')
      }),
    )
  })
})
