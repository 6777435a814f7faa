import type { AgentPolicy } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { policyOf, ruleOf } from '../testing/open-egress-scene.ts'
import { canonicalHost } from './canonical-host.ts'
import { refuseAddress } from './check-address.ts'
import { parseIpAddress } from './ip-address.ts'

interface Setting {
  readonly allow?: readonly string[]
  readonly reachable?: readonly string[]
  readonly own?: readonly string[]
  readonly policy?: AgentPolicy
  readonly mode?: 'allow' | 'deny'
}

/** The refusal of `address`, to which the permitted name db.test leads, on port 5432. */
function judge(address: string, { allow = [], reachable = [], own = [], ...rest }: Setting = {}) {
  const rules = ['db.test:5432', ...allow].map(ruleOf)
  const addresses = (texts: readonly string[]) =>
    texts.flatMap((text) => parseIpAddress(text) ?? [])
  const [parsed] = addresses([address])
  if (parsed === undefined) throw new Error(`${address} is no address`)
  const policy = rest.policy ?? policyOf(rules, rest.mode ?? 'allow')
  const deps = { policy, plan: { rules, reachableRanges: reachable }, own: addresses(own) }
  return refuseAddress(deps, { host: 'db.test', port: 5432 }, parsed)
}

describe('an address that a permitted name leads to', () => {
  it('may be dialled when it is public', () => {
    expect(judge('1.1.1.1')).toBeUndefined()
    expect(judge('2a00::1')).toBeUndefined()
  })

  it('needs a rule with its range and port when it is private', () => {
    expect(judge('10.1.2.3')).toMatchObject({
      code: 'egress.private-address',
      reason:
        'db.test leads to 10.1.2.3, a private address. To permit it takes a rule with the address, such as 10.1.2.3:5432, in spec.security.network.allowlist of the manifest.',
    })
    expect(judge('10.1.2.3', { allow: ['10.0.0.0/8:5432'] })).toBeUndefined()
    expect(judge('fd00::3', { allow: ['[fd00::/16]:5432'] })).toBeUndefined()
    expect(judge('10.1.2.3', { allow: ['10.0.0.0/8'] })?.code).toBe('egress.private-address')
    expect(judge('10.1.2.3', { allow: ['10.2.0.0/16:5432'] })?.code).toBe('egress.private-address')
  })

  it.each([
    ['127.0.0.1', '127.0.0.0/8', 'egress.loopback-address'],
    ['169.254.1.1', '169.254.0.0/16', 'egress.link-local-address'],
    ['169.254.169.254', '169.254.169.254', 'egress.metadata-address'],
    ['::1', '::1/128', 'egress.loopback-address'],
    ['10.0.0.7', '10.0.0.7', 'egress.own-address'],
    ['9.9.9.9', '9.9.9.9/32', 'egress.own-address'],
  ])('needs a rule and the operator when it is %s', (address, range, code) => {
    const own = ['10.0.0.7', '9.9.9.9']
    const rule = range.includes(':') ? `[${range}]:5432` : `${range}:5432`
    expect(judge(address, { own })?.code).toBe(code)
    expect(judge(address, { own, allow: [rule] })).toMatchObject({
      code,
      reason: expect.stringContaining('spec.security.egress.reachable_ranges'),
    })
    expect(judge(address, { own, reachable: [range] })).toMatchObject({
      code,
      reason: expect.stringContaining('spec.security.network.allowlist'),
    })
    expect(judge(address, { own, allow: [rule], reachable: [range] })).toBeUndefined()
  })

  it('is refused when it is reserved, whatever permits it', () => {
    const setting = { allow: ['0.0.0.0/1:5432'], reachable: ['0.0.0.0/1'] }
    expect(judge('0.0.0.0', setting)?.code).toBe('egress.reserved-address')
  })

  it('is refused when the policy forbids the address, with the words of the policy', () => {
    const because = 'The denylist forbids 1.1.1.0/24.'
    const policy: AgentPolicy = {
      decide: (request) =>
        request.action === 'network.connect' && request.address === '1.1.1.1'
          ? { allow: false, policies: ['denylist'], because }
          : { allow: true, policies: [], because: '' },
    }
    const refusal = { code: 'egress.forbidden-address', reason: because, policies: ['denylist'] }
    expect(judge('1.1.1.1', { policy })).toEqual(refusal)
    expect(judge('64:ff9b::1.1.1.1', { policy })).toEqual(refusal)
    expect(judge('1.1.1.2', { policy })).toBeUndefined()
  })

  it('that an address named by itself is translated to may be forbidden too', () => {
    const rules = [ruleOf('1.1.1.1')]
    const policy: AgentPolicy = {
      decide: (request) =>
        request.action === 'network.connect' && request.host === '1.1.1.1'
          ? { allow: false, policies: ['denylist'], because: 'The denylist forbids it.' }
          : { allow: true, policies: [], because: '' },
    }
    const deps = { policy, plan: { rules, reachableRanges: [] }, own: [] }
    const judgeLiteral = (host: string) => {
      const named = canonicalHost(host)
      if (named.kind !== 'address') throw new Error('no address')
      return refuseAddress(deps, { host: named.host, port: 80 }, named.address)?.code
    }
    expect(judgeLiteral('64:ff9b::1.1.1.1')).toBe('egress.forbidden-address')
    expect(judgeLiteral('64:ff9b::1.1.1.2')).toBeUndefined()
  })

  it('is refused as private where everything public is permitted', () => {
    expect(judge('10.1.2.3', { mode: 'deny' })?.code).toBe('egress.private-address')
    expect(judge('1.1.1.1', { mode: 'deny' })).toBeUndefined()
  })
})

describe('a forbidden address', () => {
  const byte = fc.nat(255)
  const forbidden = fc.oneof(
    fc.tuple(fc.constantFrom(10, 127, 0, 224, 240), byte, byte, byte),
    fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
    fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
    fc.constantFrom([169, 254, 169, 254], [100, 100, 100, 200], [168, 63, 129, 16]),
  )
  const octal = (part: number): string => `0${part.toString(8)}`
  const hex = (part: number): string => `0x${part.toString(16)}`
  const spellings = ([a = 0, b = 0, c = 0, d = 0]: readonly number[]): readonly string[] => {
    const parts = [a, b, c, d]
    const dotted = parts.join('.')
    const whole = a * 2 ** 24 + b * 2 ** 16 + c * 256 + d
    const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
    return [
      dotted,
      `${dotted}.`,
      String(whole),
      hex(whole),
      octal(whole),
      parts.map(octal).join('.'),
      parts.map(hex).join('.'),
      `${a}.${b * 65536 + c * 256 + d}`,
      `${a}.${b}.${c * 256 + d}`,
      `[${dotted}]`,
      `::ffff:${dotted}`,
      `[::FFFF:${groups}]`,
      `0:0:0:0:0:ffff:${groups}`,
      `::${dotted}`,
      `64:ff9b::${dotted}`,
      `[64:FF9B::${groups}]`,
      `64:ff9b:1::${dotted}`,
      `2002:${groups}::1`,
      `::ffff:0:${dotted}`,
      `${dotted}%eth0`,
      `::ffff:${dotted}%1`,
      `user@${dotted}`,
      `${dotted}:80`,
      encodeURIComponent(dotted).replaceAll('.', '%2e'),
      dotted.replaceAll('.', '\u3002'),
      [...dotted].map((char) => (char === '.' ? char : fullWidth(char))).join(''),
    ]
  }
  const fullWidth = (digit: string): string => String.fromCharCode(0xff10 + Number(digit))

  it('ends refused in every spelling, even where the policy permits every host', () => {
    const rules = [ruleOf('1.1.1.1')]
    const deps = {
      policy: policyOf(rules, 'deny'),
      plan: { rules, reachableRanges: ['0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'] },
      own: [],
    }
    fc.assert(
      fc.property(forbidden, (bytes) => {
        for (const spelling of spellings(bytes)) {
          const named = canonicalHost(spelling)
          if (named.kind === 'refused') continue
          expect([spelling, named.kind]).toEqual([spelling, 'address'])
          if (named.kind !== 'address') continue
          const refusal = refuseAddress(deps, { host: named.host, port: 80 }, named.address)
          expect([spelling, refusal?.code]).toEqual([spelling, expect.stringMatching(/^egress\./)])
        }
      }),
    )
  })
})
