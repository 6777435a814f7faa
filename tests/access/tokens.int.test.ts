import { aManifest } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { type AccessScene, type Answer, homeToken, openAccessScene } from './access-scene.ts'

const minuteMs = 60_000

/** All that a caller sees, but for what differs in every answer. */
const seen = ({ status, headers, body }: Answer) => ({
  status,
  body,
  headers: [...headers].filter(([name]) => name !== 'date'),
})

const changed = (text: string, at: number): string => {
  const other = text[at] === 'a' ? 'b' : 'a'
  return text.slice(0, at) + other + text.slice(at + 1)
}

/** Each way to have no token, and what the audit calls it. */
async function wrongTokens(scene: AccessScene) {
  const [one, two] = [await scene.token('viewer'), await scene.token('admin')]
  const [gone, old] = [
    await scene.token('admin', undefined, { name: 'gone' }),
    await scene.token('admin', undefined, { name: 'old', lifetimeMs: minuteMs }),
  ]
  await scene.node.plane.tokens.revoke('gone')
  scene.advance(minuteMs + 1)
  const secretAt = one.lastIndexOf('_', one.length - 43) + 1
  return [
    ['none of this node', `aegis_${'0'.repeat(16)}_${'a'.repeat(43)}`, 'unknown'],
    ['a changed secret', changed(one, one.length - 2), 'wrong'],
    ['a changed id', changed(one, 8), 'unknown'],
    ['a truncated one', one.slice(0, -1), 'unknown'],
    ['one with something behind it', `${one}a`, 'unknown'],
    ['only the id', one.slice(0, secretAt), 'unknown'],
    ['the secret of another one', one.slice(0, secretAt) + two.slice(secretAt), 'wrong'],
    ['one that is revoked', gone, 'revoked'],
    ['one that is expired', old, 'expired'],
    ['upper case', one.toUpperCase(), 'unknown'],
    ['the digest that the node keeps', await digestToken(scene, one), 'wrong'],
    ['a part of the token of the home', homeToken.slice(0, -1), 'unknown'],
    ['a JWT that says no algorithm', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.', 'unknown'],
  ] as const
}

async function digestToken({ node }: AccessScene, token: string): Promise<string> {
  const id = token.slice(6, 22)
  return `aegis_${id}_${(await node.store.tokens.byId(id))?.digest.slice(0, 43)}`
}

describe('a token', () => {
  it('that is wrong, expired or revoked gets one and the same answer', async () => {
    await using scene = await openAccessScene()
    const reference = seen(await scene.ask('GET /api/agents', { token: 'a'.repeat(43) }))
    expect(reference).toMatchObject({
      status: 401,
      body: { kind: 'unauthenticated', code: 'token.wrong' },
    })
    for (const [what, token] of await wrongTokens(scene)) {
      expect(seen(await scene.ask('GET /api/agents', { token })), what).toEqual(reference)
    }
  })

  it('that is wrong is told apart in the audit, and never shown there', async () => {
    await using scene = await openAccessScene()
    const wrong = await wrongTokens(scene)
    for (const [what, token, refused] of wrong) {
      const before = scene.audit.entries.length
      await scene.ask('GET /api/agents', { token })
      await scene.audit.recorded(before + 1)
      const entry = scene.audit.entries.at(-1)
      expect(entry, what).toMatchObject({
        type: 'api.called',
        data: { status: 401, refused, route: '/api/agents' },
      })
      expect(entry?.actor).toBeUndefined()
      expect(JSON.stringify(scene.audit.entries)).not.toContain(token.slice(-20))
      // Else they would be counted as a flood.
      await scene.nextSecond()
    }
    const names = scene.audit.entries.map(({ data }) => data.claimed_name)
    expect(names.filter((name) => name !== undefined)).toEqual(['gone', 'old'])
  })

  it('opens nothing from the moment in which it expires or is revoked', async () => {
    await using scene = await openAccessScene()
    const token = await scene.token('viewer', undefined, { name: 'ci', lifetimeMs: minuteMs })
    const status = async () => (await scene.ask('GET /api/whoami', { token })).status
    expect(await status()).toBe(200)
    scene.advance(minuteMs - 5_000)
    expect(await status()).toBe(200)
    scene.advance(5_000)
    expect(await status()).toBe(401)
    const other = await scene.token('viewer', undefined, { name: 'other' })
    expect((await scene.ask('GET /api/whoami', { token: other })).status).toBe(200)
    expect((await scene.ask('DELETE /api/tokens/other', { token: homeToken })).status).toBe(200)
    expect((await scene.ask('GET /api/whoami', { token: other })).status).toBe(401)
  })

  it('ends the event streams that it opened, once it is revoked', async () => {
    await using scene = await openAccessScene()
    const token = await scene.token('viewer', undefined, { name: 'ci' })
    const answer = await fetch(new URL('/api/sandboxes/events', scene.api.url), {
      headers: { authorization: `Bearer ${token}` },
    })
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader?.read())?.value).toContain('connected')
    const ended = expect(reader?.read()).rejects.toThrow('terminated')
    await scene.nextSecond() // Its first look: nothing has changed.
    await scene.node.plane.tokens.revoke('ci')
    await scene.nextSecond()
    await ended
  })

  it('is told once, when it is made, and is kept as a digest', async () => {
    await using scene = await openAccessScene()
    const made = await scene.ask('POST /api/tokens', {
      token: homeToken,
      body: { name: 'ci', role: 'developer', scope: { agents: ['echo'] }, expires_in_seconds: 60 },
    })
    expect(made).toMatchObject({
      status: 200,
      body: {
        token: expect.stringMatching(/^aegis_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/),
        facts: { name: 'ci', role: 'developer', scope: { agents: ['echo'] }, created_by: 'local' },
      },
    })
    const text: string = made.body.token
    const secret = text.slice(-43)
    const list = await scene.ask('GET /api/tokens', { token: homeToken })
    expect(list.body).toEqual([made.body.facts])
    const everywhere = JSON.stringify([
      list.body,
      await scene.node.store.tokens.list(),
      scene.audit.entries,
      scene.complaints,
    ])
    expect(everywhere).not.toContain(secret)
    expect(everywhere).not.toContain(Buffer.from(secret).toString('base64'))
  })

  it('gives nobody more than he has', async () => {
    await using scene = await openAccessScene()
    const narrow = await scene.token('admin', { actions: ['api.token.*', 'api.task.read'] })
    const make = (body: object) =>
      scene.ask('POST /api/tokens', { token: narrow, body: { name: 'mine', ...body } })
    const refused = { status: 403, body: { code: 'access.escalation' } }
    expect(await make({ role: 'admin' })).toMatchObject(refused)
    expect(await make({ role: 'viewer' })).toMatchObject(refused)
    expect(await make({ role: 'admin', scope: { agents: ['echo'] } })).toMatchObject(refused)
    expect(await make({ role: 'admin', scope: { actions: ['api.*'] } })).toMatchObject(refused)
    const fine = { role: 'viewer', scope: { actions: ['api.task.read'] } }
    expect(await make(fine)).toMatchObject({ status: 200 })
  })

  it.each([
    ['a name that is taken', { name: 'taken', role: 'viewer' }, 409, 'token.exists'],
    ['the name of the owner', { name: 'local', role: 'viewer' }, 422, 'request.body'],
    [
      'a name like that of an identity provider',
      { name: 'oidc:x', role: 'viewer' },
      422,
      'request.body',
    ],
    ['an unknown role', { name: 'x', role: 'root' }, 422, 'request.body'],
    [
      'an action that there is not',
      { name: 'x', role: 'viewer', scope: { actions: ['api.task.fly'] } },
      422,
      'request.body',
    ],
    ['an empty scope', { name: 'x', role: 'viewer', scope: { agents: [] } }, 422, 'request.body'],
    [
      'a scope that its role does not have',
      { name: 'x', role: 'viewer', scope: { actions: ['api.token.*'] } },
      422,
      'token.scope',
    ],
    [
      'a scope for the whole node, and agents',
      { name: 'x', role: 'admin', scope: { actions: ['api.token.*'], agents: ['a'] } },
      422,
      'token.scope',
    ],
    ['an unknown key', { name: 'x', role: 'viewer', admin: true }, 422, 'request.body'],
    ['no lifetime', { name: 'x', role: 'viewer', expires_in_seconds: 0 }, 422, 'request.body'],
  ])('is not made with %s', async (_what, body, status, code) => {
    await using scene = await openAccessScene()
    await scene.token('viewer', undefined, { name: 'taken' })
    expect(await scene.ask('POST /api/tokens', { token: homeToken, body })).toMatchObject({
      status,
      body: { code },
    })
    expect(await scene.node.plane.tokens.list()).toHaveLength(1)
  })

  it('is not made and not revoked when the audit cannot record it', async () => {
    await using scene = await openAccessScene()
    await scene.token('viewer', undefined, { name: 'kept' })
    scene.audit.failWith(new Error('disk full'))
    const made = { token: homeToken, body: { name: 'x', role: 'viewer' } }
    expect((await scene.ask('POST /api/tokens', made)).status).toBeGreaterThanOrEqual(500)
    const revoked = await scene.ask('DELETE /api/tokens/kept', { token: homeToken })
    expect(revoked.status).toBeGreaterThanOrEqual(500)
    scene.audit.failWith(undefined)
    expect(await scene.node.plane.tokens.list()).toMatchObject([{ name: 'kept' }])
    expect((await scene.node.plane.tokens.list())[0]?.revokedAt).toBeUndefined()
  })

  it('shows when it was last used, to the minute', async () => {
    await using scene = await openAccessScene()
    const token = await scene.token('viewer', undefined, { name: 'ci' })
    const written: string[] = []
    const touch = scene.node.store.tokens.touch
    const { promise: noted, resolve } = Promise.withResolvers<void>()
    scene.node.store.tokens.touch = async (id, at) => {
      written.push(at)
      await touch(id, at)
      resolve()
    }
    for (let n = 0; n < 20; n += 1) await scene.ask('GET /api/whoami', { token })
    await noted
    const [facts] = await scene.node.plane.tokens.list()
    expect(facts?.lastUsedAt).toMatch(/:00\.000Z$/)
    expect(written.length).toBeLessThanOrEqual(2) // Twice where a minute ended meanwhile.
  })

  it('is taken from the Authorization header alone', async () => {
    await using scene = await openAccessScene()
    await scene.node.plane.agents.deploy(aManifest('echo'))
    const token = await scene.token('admin')
    for (const headers of [
      { cookie: `token=${token}` },
      { 'x-api-key': token },
      { authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}` },
      { authorization: token },
      { authorization: `Bearer ${token} ${token}` },
      { authorization: `Bearer ${'a'.repeat(9000)}` },
    ]) {
      expect((await scene.ask('GET /api/agents', { headers })).status).toBe(401)
    }
    expect((await scene.ask(`GET /api/agents?token=${token}`)).status).toBe(401)
    const lower = { headers: { authorization: `bearer  ${token}` } }
    expect((await scene.ask('GET /api/agents', lower)).status).toBe(200)
  })
})
