import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalHost } from './canonical-host.ts'

const hostOf = (text: string): string | undefined => {
  const host = canonicalHost(text)
  return host.kind === 'refused' ? undefined : host.host
}

describe('a name', () => {
  it.each([
    ['example.com', 'example.com'],
    ['EXAMPLE.Com', 'example.com'],
    ['example.com.', 'example.com'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['1.example', '1.example'],
    ['a'.repeat(63), 'a'.repeat(63)],
  ])('%s is known as %s', (text, host) => {
    expect(canonicalHost(text)).toEqual({ kind: 'name', host })
  })

  it.each([
    ['', 'nothing'],
    ['.', 'a dot'],
    ['example.com..', 'two dots at its end'],
    ['a..b', 'an empty label'],
    ['.example.com', 'a dot at its start'],
    ['-a.example', 'a hyphen at a start'],
    ['a-.example', 'a hyphen at an end'],
    [`${'a'.repeat(64)}.example`, 'too long a label'],
    [`${'a.'.repeat(128)}`, 'too long a name'],
    ['bücher.example', 'no ASCII'],
    ['exаmple.com', 'a Cyrillic letter'],
    ['example.com\u3002', 'an ideographic dot'],
    ['ｅxample.com', 'a full-width letter'],
    ['example.com ', 'a space'],
    ['exam\tple.com', 'a tab'],
    ['example.com\0.evil.test', 'a NUL'],
    ['user@example.com', 'a user'],
    ['example.com/path', 'a path'],
    ['example.com?x', 'a query'],
    ['example.com#x', 'a fragment'],
    ['example.com%2e', 'an escape'],
    ['*.example.com', 'a star'],
    ['[example.com]', 'brackets'],
    ['http://example.com', 'a scheme'],
  ])('such as %j is refused: %s', (text) => {
    expect(canonicalHost(text)).toEqual({ kind: 'refused', reason: expect.stringMatching(/\.$/) })
  })

  it('stays as it is when it is read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.string(), fc.ipV4(), fc.ipV6()), (text) => {
        const host = hostOf(text)
        if (host !== undefined) expect(hostOf(host)).toBe(host)
      }),
    )
  })

  it('holds nothing that ends a line, a label or a URL', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const host = canonicalHost(text)
        if (host.kind === 'name') expect(host.host).toMatch(/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/)
      }),
    )
  })
})

describe('an address', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['[::1]', '::1'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['[::FFFF:0a01:0203]', '10.1.2.3'],
    ['0:0:0:0:0:ffff:a01:203', '10.1.2.3'],
    ['64:ff9b::10.1.2.3', '64:ff9b::a01:203'],
  ])('%s is known as %s', (text, host) => {
    expect(canonicalHost(text)).toMatchObject({ kind: 'address', host })
  })

  it.each([
    ['2130706433', 'decimal'],
    ['0177.0.0.1', 'octal'],
    ['0x7f.1', 'hexadecimal'],
    ['0x7f000001', 'hexadecimal'],
    ['0x', 'hexadecimal of nothing'],
    ['127.1', 'short'],
    ['127.0.1', 'short'],
    ['127.0.0.1.', 'with a dot behind it'],
    ['127.0.0.01', 'with a zero before a number'],
    ['256.0.0.1', 'beyond a byte'],
    ['1.2.3.4.5', 'of five numbers'],
    ['fe80::1%eth0', 'with a zone'],
    ['[fe80::1%25eth0]', 'with an escaped zone'],
    ['[127.0.0.1]', 'in brackets that it may not have'],
    ['[::1', 'with half its brackets'],
    ['::1]', 'with half its brackets'],
    ['[[::1]]', 'with two pairs'],
    ['::1::', 'with two gaps'],
    ['1:2:3:4:5:6:7:8::', 'with a gap for nothing'],
    ['1:2:3:4:5:6:7', 'of seven groups'],
    ['12345::', 'with a group of five digits'],
    ['1.2.3.4::', 'with dots at its start'],
    ['::1.2.3', 'with three numbers at its end'],
    [':1:2:3:4:5:6:7:8', 'with a colon at its start'],
    ['127.0.0.1:80', 'with a port'],
  ])('such as %s is refused: %s', (text) => {
    expect(canonicalHost(text).kind).toBe('refused')
  })

  it('of IPv6 is written as RFC 5952 and the URL standard write it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const host = canonicalHost(text)
        const standard = new URL(`http://[${text}]/`).hostname.slice(1, -1)
        if (standard.startsWith('::ffff:')) {
          expect(host).toMatchObject({ kind: 'address', address: { family: 4 } })
        } else expect(host).toMatchObject({ kind: 'address', host: standard })
      }),
    )
  })

  it('is never taken for a name, whatever a URL parser would make an address of', () => {
    const part = fc.oneof(
      fc.nat(300).map(String),
      fc.nat(300).map((number) => `0x${number.toString(16)}`),
      fc.nat(300).map((number) => `0${number.toString(8)}`),
      fc.constant('0x'),
    )
    const parts = fc.array(part, { minLength: 1, maxLength: 5 }).map((each) => each.join('.'))
    fc.assert(
      fc.property(parts, (text) => {
        expect(canonicalHost(text).kind).not.toBe('name')
      }),
    )
  })
})
