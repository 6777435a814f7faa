import type { PolicyExplanation, PolicyList, PolicySummary } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type FakeControlPlane, fakeContext } from '../testing/fake-context.ts'
import { explainPolicy } from './explain-policy.ts'
import { listPolicies } from './list-policies.ts'
import { testPolicies } from './test-policies.ts'

const ceiling: PolicySummary = {
  id: 'ceiling.cedar#1',
  effect: 'forbid',
  source: 'ceiling.cedar:3',
  actions: ['network.connect'],
  text: 'forbid (principal, action, resource)\nwhen { context.host == "\x1b[2Jevil.com" };',
}
const own: PolicySummary = {
  id: 'agent/coder/network.allowlist[0]',
  agent: 'coder',
  effect: 'permit',
  source: 'spec.security.network.allowlist[0]',
  actions: ['network.connect', 'dns.resolve'],
  text: 'permit (principal, action, resource);',
}
const list: PolicyList = {
  folder: '/policies',
  problems: [],
  closed: false,
  warnings: [],
  policies: [ceiling, own],
}
const denied: PolicyExplanation = {
  allow: false,
  policies: ['ceiling.cedar#1'],
  because: 'Policy ceiling.cedar#1 forbids evil.com:443.',
  deciding: [ceiling],
}
const allowed: PolicyExplanation = {
  allow: true,
  policies: [own.id],
  because: 'It is permitted.',
  deciding: [own],
}

describe('aegis policy list', () => {
  const listing = (more: Partial<PolicyList> = {}): FakeControlPlane => ({
    policies: { list: async () => ({ ...list, ...more }) },
  })

  it('shows each policy with its effect, actions and source, and where files are read from', async () => {
    const { context, terminal } = fakeContext(listing())
    expect(await listPolicies(context, [], {})).toBe(0)
    const [count, titles, first, second] = terminal.stdout().split('\n')
    expect(count).toBe('2 policies:')
    expect(titles).toMatch(/^ID +EFFECT +ACTIONS +SOURCE$/)
    expect(first).toMatch(/^ceiling\.cedar#1 +forbid +network\.connect +ceiling\.cedar:3$/)
    expect(second).toMatch(/permit +network\.connect, dns\.resolve +spec\.security/)
    expect(terminal.stderr()).toContain('/policies')
  })

  it('says when the newest files are not in force, and why', async () => {
    const problems = [{ file: 'a.cedar', line: 2, column: 7, message: 'unexpected token' }]
    const { context, terminal } = fakeContext(listing({ problems }))
    await listPolicies(context, [], {})
    expect(terminal.stderr()).toMatch(
      /last good ones are in force:\nerror a\.cedar:2:7: unexpected token/,
    )
    const closed = fakeContext(listing({ problems, closed: true }))
    await listPolicies(closed.context, [], {})
    expect(closed.terminal.stderr()).toContain('nothing is permitted until these are mended')
  })

  it('prints Cedar, made safe for a terminal', async () => {
    const { context, terminal } = fakeContext(listing())
    await listPolicies(context, [], { text: true })
    expect(terminal.stdout()).toContain('// ceiling.cedar#1 (ceiling.cedar:3)\nforbid (principal')
    expect(terminal.stdout()).not.toContain('\x1b')
  })

  it('asks for one agent, and gives JSON in the words of the HTTP API', async () => {
    const asked: (string | undefined)[] = []
    const { context, terminal } = fakeContext(
      {
        policies: {
          list: async ({ agentRef } = {}) => {
            asked.push(agentRef)
            return list
          },
        },
      },
      { json: true },
    )
    await listPolicies(context, [], { agent: 'coder' })
    expect(asked).toEqual(['coder'])
    expect(JSON.parse(terminal.stdout())).toMatchObject({
      folder: '/policies',
      policies: [{ id: ceiling.id }, own],
    })
  })
})

describe('aegis policy explain', () => {
  const explaining = (found: PolicyExplanation) => {
    const asked: unknown[] = []
    const plane: FakeControlPlane = {
      policies: {
        explain: async (agent, request) => {
          asked.push([agent, request])
          return found
        },
      },
    }
    return { plane, asked }
  }

  it('says what denies and why, with the text of the policy, and exits with 6', async () => {
    const { plane, asked } = explaining(denied)
    const { context, terminal } = fakeContext(plane)
    const code = await explainPolicy(context, ['coder', 'network.connect', 'evil.com'], {})
    expect(code).toBe(6)
    expect(asked).toEqual([['coder', { action: 'network.connect', host: 'evil.com', port: 443 }]])
    expect(terminal.stdout()).toMatch(
      /^denied {2}Policy ceiling\.cedar#1 forbids evil\.com:443\.\n\nceiling\.cedar#1 {2}ceiling\.cedar:3\n {2}forbid/,
    )
    expect(terminal.stdout()).not.toContain('\x1b')
  })

  it('exits with 0 for what is allowed, and asks about a request where one is described', async () => {
    const { plane, asked } = explaining(allowed)
    const { context } = fakeContext(plane, { json: true })
    const options = { method: 'post', path: '/a', header: { accept: '*/*' } }
    expect(
      await explainPolicy(context, ['coder', 'network.connect', '[2001:db8::1]:8443'], options),
    ).toBe(0)
    const http = { method: 'POST', path: '/a', headers: { accept: '*/*' } }
    expect(asked).toEqual([
      ['coder', { action: 'network.connect', host: '2001:db8::1', port: 8443, http }],
    ])
  })

  it.each([
    [['coder', 'network.conect', 'a.com'], {}, 'is nothing that an agent does'],
    [['coder', 'network.connect', 'https://a.com'], {}, 'is a URL'],
    [['coder', 'network.connect', '*.a.com'], {}, 'is more than one host'],
    [['coder', 'network.connect', '10.0.0.0/8'], {}, 'is more than one host'],
    [['coder', 'network.connect', 'a.com'], { path: 'x' }, 'is not a path'],
    [['coder', 'fs.read', '/a'], { method: 'GET' }, 'has no method'],
    [['coder', 'secret.use', 'github'], {}, 'github@api.github.com'],
  ])('refuses a question that it cannot read: %j %j', async (args, options, words) => {
    const { context } = fakeContext(explaining(denied).plane)
    await expect(explainPolicy(context, args, options)).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining(words),
    })
  })
})

describe('aegis policy test', () => {
  const cases = `cases:
  - {agent: coder, action: network.connect, resource: "good.com:443", expect: allow}
  - {agent: coder, action: network.connect, resource: evil.com, method: GET, path: /, expect: deny, by: "ceiling.cedar#1"}
`
  const run = async (source: string, options: { json?: boolean } = {}, by = denied) => {
    const fake = fakeContext(
      {
        policies: {
          explain: async (_, request) =>
            request.action === 'network.connect' && request.host === 'good.com' ? allowed : by,
        },
      },
      options,
    )
    const context = { ...fake.context, readStdin: async () => source }
    return { code: testPolicies(context, ['-'], {}), terminal: fake.terminal }
  }

  it('tells that all is as expected', async () => {
    const { code, terminal } = await run(cases)
    expect(await code).toBe(0)
    expect(terminal.stdout()).toMatch(
      /^ok {4}coder network\.connect good\.com:443: allow\nok .*\n2 cases: all as expected\n$/,
    )
  })

  it('shows what was decided otherwise, or by another policy, and fails', async () => {
    const { code, terminal } = await run(cases, {}, { ...denied, policies: ['other'] })
    expect(await code).toBe(1)
    expect(terminal.stdout()).toMatch(
      /wrong .*evil\.com \/: deny by ceiling\.cedar#1\n {6}denied: Policy/,
    )
    expect(terminal.stdout()).toContain('1 of 2 cases decided otherwise')
  })

  it('gives JSON for programs', async () => {
    const { code, terminal } = await run(cases, { json: true })
    await code
    expect(JSON.parse(terminal.stdout())).toMatchObject([
      { passed: true, decision: 'allow' },
      { passed: true, decision: 'deny' },
    ])
  })

  it('names the mistakes of a file with their lines', async () => {
    const { code } = await run(
      'cases:\n  - {agent: coder, action: nothing, resource: x, expect: maybe}\n',
    )
    await expect(code).rejects.toMatchObject({
      code: 'cases.invalid',
      message: expect.stringMatching(/^standard input:2:\d+ cases\[0\]/),
    })
  })
})
