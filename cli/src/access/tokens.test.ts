import { type NewToken, Secret, type TokenFacts, tokenId } from '@aegis/core'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { createToken } from './create-token.ts'
import { listTokens } from './list-tokens.ts'
import { whoami } from './whoami.ts'

beforeAll(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-22T15:00:00Z'), toFake: ['Date'] })
})
afterAll(() => {
  vi.useRealTimers()
})

const text = `aegis_${'0'.repeat(16)}_${'s'.repeat(43)}`

const aToken = (changes: Partial<TokenFacts> = {}): TokenFacts => ({
  id: tokenId('00aa'),
  name: 'ci',
  role: 'developer',
  createdAt: '2026-11-20T15:00:00.000Z',
  createdBy: 'local',
  ...changes,
})

const dayMs = 86_400_000

it('prints a new token alone on stdout, and what it is on stderr', async () => {
  const asked: NewToken[] = []
  const create = async (request: NewToken) => {
    asked.push(request)
    const { lifetimeMs: _, ...facts } = request
    const token = aToken({ ...facts, expiresAt: '2026-12-22T15:00:00.000Z' })
    return { token, text: new Secret(text) }
  }
  const options = {
    role: 'developer',
    scope: ['api.task.*'],
    agent: ['echo'],
    expires: 30 * dayMs,
  } as const
  const { context, terminal } = fakeContext({ tokens: { create } })
  expect(await createToken(context, ['ci'], options)).toBe(0)
  expect(asked).toEqual([
    {
      name: 'ci',
      role: 'developer',
      scope: { actions: ['api.task.*'], agents: ['echo'] },
      lifetimeMs: 30 * dayMs,
    },
  ])
  expect(terminal.stdout()).toBe(`${text}\n`)
  expect(terminal.stderr()).toBe(
    [
      'Token ci (00aa): developer, only api.task.*; agents echo, expires 2026-12-22T15:00:00.000Z.',
      'It is shown this once. Whoever has it gives it as AEGIS_TOKEN; end it with:',
      '  aegis token revoke ci',
      '',
    ].join('\n'),
  )
  const json = fakeContext({ tokens: { create } }, { json: true })
  await createToken(json.context, ['ci'], { role: 'admin', expires: 'never' })
  expect(asked[1]).toEqual({ name: 'ci', role: 'admin', lifetimeMs: null })
  expect(JSON.parse(json.terminal.stdout())).toMatchObject({ token: text, facts: { name: 'ci' } })
})

it('lists who has a token, and with --all who had one', async () => {
  const list = async () => [
    aToken({ lastUsedAt: '2026-11-22T14:55:00.000Z', scope: { agents: ['echo'] } }),
    aToken({ name: 'old', expiresAt: '2026-11-22T14:00:00.000Z' }),
    aToken({ name: 'gone', revokedAt: '2026-11-20T15:00:00.000Z', createdBy: 'oidc:alice' }),
    aToken({ name: 'soon', expiresAt: '2026-11-25T15:00:00.000Z', role: 'admin' }),
  ]
  const short = fakeContext({ tokens: { list } }, { columns: 120 })
  await listTokens(short.context, [], {})
  expect(short.terminal.stdout()).toBe(
    [
      '2 tokens:',
      'NAME  ID    ROLE       ONLY         ENDS   USED    MADE BY',
      'ci    00aa  developer  agents echo  never  5m ago  local',
      'soon  00aa  admin                   in 3d          local',
      '',
    ].join('\n'),
  )
  const all = fakeContext({ tokens: { list } }, { columns: 120 })
  await listTokens(all.context, [], { all: true })
  expect(all.terminal.stdout()).toMatch(/^old .* expired 60m ago|expired 1h ago/m)
  expect(all.terminal.stdout()).toMatch(/^gone .* revoked 2d ago .* oidc:alice$/m)
  const none = fakeContext({ tokens: { list: async () => [] } })
  await listTokens(none.context, [], {})
  expect(none.terminal.stdout()).toContain('aegis token create <name> --role developer')
})

it('says who one is, and what that permits', async () => {
  const { context, terminal } = fakeContext({
    tokens: {
      whoami: async () => ({
        name: 'ci',
        role: 'viewer',
        scope: { actions: ['api.task.read'] },
        tokenId: tokenId('00aa'),
        actions: ['api.task.read'],
      }),
    },
  })
  await whoami(context, [], {})
  expect(terminal.stdout()).toBe(
    [
      'Name   ci',
      'Role   viewer',
      'Only   api.task.read',
      'Token  00aa',
      'May    api.task.read',
      '',
    ].join('\n'),
  )
})
