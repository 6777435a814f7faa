import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SecurityConfig } from '@aegis/core'
import { openOidc } from '@aegis/security'
import { exportSPKI, importJWK, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import { type AccessScene, homeToken, openAccessScene } from './access-scene.ts'
import {
  audience,
  type IdentityProvider,
  makeKey,
  openIdentityProvider,
  unsigned,
} from './identity-provider.ts'

type Oidc = NonNullable<SecurityConfig['access']['oidc']>

const groups: Oidc['roles'] = { ops: 'operator', devs: 'developer', everybody: 'viewer' }

interface OidcScene extends AccessScene {
  readonly provider: IdentityProvider
  /** The claims of a token that opens something, and `changes`. */
  claims(changes?: object): object
}

async function openScene(config: Partial<Oidc> = {}): Promise<OidcScene> {
  await using undo = new AsyncDisposableStack()
  const provider = undo.use(await openIdentityProvider())
  const scene = undo.use(
    await openAccessScene({
      provider: (deps) =>
        openOidc(
          {
            issuer: provider.issuer,
            audience,
            name_claim: 'sub',
            role_claim: 'groups',
            roles: groups,
            ...config,
          },
          deps,
        ),
    }),
  )
  const resources = undo.move()
  const nowS = Math.floor(Date.now() / 1000)
  return {
    ...scene,
    provider,
    claims: (changes = {}) => ({
      iss: provider.issuer,
      aud: audience,
      sub: 'mallory',
      groups: ['ops'],
      exp: nowS + 600,
      ...changes,
    }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const whoami = 'GET /api/whoami'

describe('a token of an identity provider', () => {
  it.each([
    'RS256',
    'ES256',
    'EdDSA',
  ] as const)('opens what its groups permit, signed with %s', async (alg) => {
    await using scene = await openScene()
    const key = await makeKey(alg, 'k')
    scene.provider.keys.push(key)
    const token = await scene.provider.sign(
      { groups: ['everybody', 'devs', 'unheard-of'] },
      { key },
    )
    expect(await scene.ask(whoami, { token })).toMatchObject({
      status: 200,
      body: { name: 'oidc:alice', role: 'developer', token_id: null },
    })
    await scene.audit.recorded(1)
    expect(scene.audit.entries[0]).toMatchObject({
      actor: 'oidc:alice',
      data: { role: 'developer', status: 200 },
    })
    expect(await scene.ask('POST /api/images/prune', { token })).toMatchObject({
      status: 403,
      body: { code: 'access.role' },
    })
  })

  it('is named and given a role by the claims that are configured', async () => {
    await using scene = await openScene({
      name_claim: 'email',
      role_claim: 'realm_access.roles',
      roles: {},
    })
    const token = await scene.provider.sign({
      email: 'a@example.com',
      realm_access: { roles: ['viewer', 'admin', '__proto__'] },
    })
    expect(await scene.ask(whoami, { token })).toMatchObject({
      body: { name: 'oidc:a@example.com', role: 'admin' },
    })
  })

  it.each([
    ['no groups', { groups: undefined }],
    ['groups without a role', { groups: ['admin', 'constructor', '__proto__'] }],
    ['a number', { groups: 7 }],
    ['the name of a role where groups are mapped', { groups: 'operator' }],
  ])('without a role is refused, and the log and the audit say why: %s', async (_what, claims) => {
    await using scene = await openScene()
    const token = await scene.provider.sign(claims)
    expect(await scene.ask('GET /api/agents', { token })).toMatchObject({
      status: 403,
      body: { code: 'access.no-role', detail: expect.stringContaining('oidc.roles') },
    })
    await scene.audit.recorded(1)
    expect(scene.audit.entries[0]).toMatchObject({
      data: {
        refused: 'no-role',
        claimed_name: 'oidc:alice',
        because: expect.stringContaining('groups'),
      },
    })
    expect(scene.complaints).toContainEqual(
      expect.objectContaining({ refused: 'no-role', name: 'oidc:alice' }),
    )
  })

  it('that is not what it should be opens nothing, however it was made', async () => {
    await using scene = await openScene()
    const { provider } = scene
    const [rsa, ec] = provider.keys
    if (rsa === undefined || ec === undefined) throw new Error('A provider without keys')
    const nowS = Math.floor(Date.now() / 1000)
    const good = await provider.sign({ groups: ['ops'] })
    expect((await scene.ask(whoami, { token: good })).status).toBe(200)
    const [head = '', body = '', signature = ''] = good.split('.')
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const strange = await makeKey('RS256', 'r1')
    const strangeJwk = strange.jwk
    const publicPem = await exportSPKI((await importJWK(rsa.jwk as JWK, 'RS256')) as never)
    const hmac = (secret: string) => {
      const text = `${part({ alg: 'HS256', kid: 'r1' })}.${part(scene.claims())}`
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
    }
    const elsewhere = await openTrap()
    const attacks: Record<string, string> = {
      'no algorithm': unsigned({ alg: 'none' }, scene.claims()),
      'no algorithm, in capitals': unsigned({ alg: 'NONE', kid: 'r1' }, scene.claims()),
      'no algorithm, with a signature': `${part({ alg: 'none', kid: 'r1' })}.${body}.${signature}`,
      'the public key as a shared secret': hmac(publicPem),
      'the public key as a shared secret, as JSON': hmac(JSON.stringify(rsa.jwk)),
      'an empty shared secret': hmac(''),
      'a changed body': `${head}.${part(scene.claims({ groups: ['ops'] }))}.${signature}`,
      'a changed head': `${part({ alg: 'RS256', kid: 'e1' })}.${body}.${signature}`,
      'no signature': `${head}.${body}.`,
      'a truncated signature': good.slice(0, -4),
      'another issuer': await provider.sign({ iss: 'https://evil.example' }),
      'an issuer that only begins alike': await provider.sign({ iss: `${provider.issuer}/` }),
      'no issuer': await provider.sign({ iss: undefined }),
      'another audience': await provider.sign({ aud: 'another' }),
      'no audience': await provider.sign({ aud: undefined }),
      'no end': await provider.sign({ exp: undefined }),
      'an end that is text': await provider.sign({ exp: 'never' }),
      'its end behind it': await provider.sign({ exp: nowS - 90 }),
      'its beginning before it': await provider.sign({ nbf: nowS + 90 }),
      'no name': await provider.sign({ sub: '' }),
      'a name of two lines': await provider.sign({ sub: 'a\nb' }),
      'a key of its own under a known id': await provider.sign({}, { key: strange }),
      'a key of its own that the head holds': await provider.sign(
        {},
        { key: strange, header: { jwk: strangeJwk } },
      ),
      'an address of keys in the head': await provider.sign(
        {},
        { key: strange, header: { kid: 'x', jku: `${elsewhere.url}/keys` } },
      ),
      'a certificate in the head': await provider.sign(
        {},
        { key: strange, header: { kid: 'y', x5u: `${elsewhere.url}/cert`, x5c: ['MIIB'] } },
      ),
      'the id of a key of another kind': await provider.sign({}, { header: { kid: ec.kid } }),
      'another algorithm for the same key': await provider
        .sign({}, { header: { alg: 'RS512' } })
        .catch(() => `${part({ alg: 'RS512', kid: 'r1' })}.${body}.${signature}`),
      'a path as the id of its key': await provider.sign(
        {},
        { key: strange, header: { kid: '../../dev/null' } },
      ),
      'a demand that nobody knows': `${part({ alg: 'RS256', kid: 'r1', crit: ['x'], x: 1 })}.${body}.${signature}`,
      'three dots': `${good}.${signature}`,
    }
    await using _trap = elsewhere
    const reference = await scene.ask('GET /api/agents', { token: 'a'.repeat(43) })
    for (const [what, token] of Object.entries(attacks)) {
      const { status, body: told } = await scene.ask('GET /api/agents', { token })
      expect([status, told], what).toEqual([401, reference.body])
    }
    expect(elsewhere.asked()).toBe(0)
    expect((await scene.ask(whoami, { token: good })).status).toBe(200)
  })

  it('may be a minute off', async () => {
    await using scene = await openScene()
    const nowS = Math.floor(Date.now() / 1000)
    const late = await scene.provider.sign({ groups: 'ops', exp: nowS - 30, nbf: nowS + 30 })
    expect((await scene.ask(whoami, { token: late })).status).toBe(200)
    scene.advance(45_000)
    expect((await scene.ask(whoami, { token: late })).status).toBe(401)
  })

  it('that does not say which key is tried with each of its kind', async () => {
    await using scene = await openScene()
    const second = await makeKey('RS256', 'r2')
    scene.provider.keys.push(second)
    const options = { key: second, header: { kid: undefined } }
    const token = await scene.provider.sign({ groups: 'ops' }, options)
    expect((await scene.ask(whoami, { token })).status).toBe(200)
  })
})

describe('the keys of an identity provider', () => {
  it('are asked for once, and again for a key that is new, but not for each made-up one', async () => {
    await using scene = await openScene()
    const { provider } = scene
    const token = await provider.sign({ groups: 'ops' })
    await Promise.all(Array.from({ length: 20 }, () => scene.ask(whoami, { token })))
    expect(provider.asked).toBe(1)
    const strange = await makeKey('RS256', 'none-of-theirs')
    const wrong = await provider.sign({}, { key: strange })
    for (let n = 0; n < 10; n += 1) await scene.ask(whoami, { token: wrong })
    expect(provider.asked).toBe(1)

    scene.advance(31_000)
    const next = await makeKey('ES256', 'next')
    provider.keys.push(next)
    const rotated = await provider.sign({ groups: 'ops' }, { key: next })
    expect((await scene.ask(whoami, { token: rotated })).status).toBe(200)
    expect(provider.asked).toBe(2)
    for (let n = 0; n < 10; n += 1) await scene.ask(whoami, { token: wrong })
    expect(provider.asked).toBe(2)
  })

  it('that are withdrawn open nothing once they were asked for again', async () => {
    await using scene = await openScene()
    const token = await scene.provider.sign({
      groups: 'ops',
      exp: Math.floor(Date.now() / 1000) + 9_999,
    })
    expect((await scene.ask(whoami, { token })).status).toBe(200)
    scene.provider.keys.shift()
    scene.advance(600_000)
    expect((await scene.ask(whoami, { token })).status).toBe(401)
  })

  it.each([
    ['does not answer', (request: { socket: { destroy(): void } }) => request.socket.destroy()],
    ['answers with an error', (_: unknown, answer: Reply) => answer.writeHead(500).end()],
    [
      'sends elsewhere',
      (_: unknown, answer: Reply) => answer.writeHead(302, { location: 'http://127.0.0.1/' }).end(),
    ],
    ['answers nonsense', (_: unknown, answer: Reply) => answer.end('<html>')],
    ['answers something else', (_: unknown, answer: Reply) => answer.end('{"keys":7}')],
    [
      'answers too much',
      (_: unknown, answer: Reply) => answer.end(`{"keys":[],"x":"${'x'.repeat(300_000)}"}`),
    ],
  ])('let nobody in while the provider %s, but the tokens of the node', async (_what, how) => {
    await using scene = await openScene()
    const { provider } = scene
    const token = await provider.sign({ groups: 'ops' })
    provider.misbehave(how as Parameters<typeof provider.misbehave>[0])
    const unavailable = { status: 503, body: { kind: 'unavailable', code: 'oidc.unavailable' } }
    expect(await scene.ask(whoami, { token })).toMatchObject(unavailable)
    expect(await scene.ask(whoami, { token })).toMatchObject(unavailable)
    expect(provider.asked).toBe(1)
    expect((await scene.ask(whoami, { token: homeToken })).status).toBe(200)
    provider.misbehave(undefined)
    scene.advance(5_000)
    expect((await scene.ask(whoami, { token })).status).toBe(200)
  })

  it('serve for an hour while the provider is away, and not longer', async () => {
    await using scene = await openScene()
    const exp = Math.floor(Date.now() / 1000) + 99_999
    const token = await scene.provider.sign({ groups: 'ops', exp })
    expect((await scene.ask(whoami, { token })).status).toBe(200)
    scene.provider.misbehave((_, answer) => answer.writeHead(500).end())
    scene.advance(3_500_000)
    expect((await scene.ask(whoami, { token })).status).toBe(200)
    scene.advance(101_000)
    expect((await scene.ask(whoami, { token })).status).toBe(503)
  })

  it('are not those of a provider that says it is another one', async () => {
    await using scene = await openScene()
    const token = await scene.provider.sign({ groups: 'ops' })
    scene.provider.claimIssuer('https://evil.example')
    expect((await scene.ask(whoami, { token })).status).toBe(503)
  })

  it('may lie in a file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aegis-keys-'))
    const path = join(folder, 'keys.json')
    await using scene = await openScene({ jwks_path: path })
    const [key] = scene.provider.keys
    await writeFile(path, JSON.stringify({ keys: [key?.jwk] }))
    const token = await scene.provider.sign({ groups: 'ops' })
    expect((await scene.ask(whoami, { token })).status).toBe(200)
    expect(scene.provider.asked).toBe(0)
    await rm(folder, { recursive: true })
  })

  it.each([
    { issuer: 'http://idp.example' },
    { jwks_uri: 'http://idp.example/keys' },
    { jwks_uri: 'http://127.0.0.1.evil.example/keys' },
    { jwks_uri: 'https://idp.example/keys', jwks_path: '/keys.json' },
  ])('are taken from nowhere where others could put theirs: %o', async (config) => {
    await expect(openScene(config)).rejects.toMatchObject({ kind: 'invalid', code: 'oidc.config' })
  })
})

interface Reply {
  writeHead(status: number, headers?: Record<string, string>): Reply
  end(text?: string): void
}

/** A server that should never be asked. */
async function openTrap() {
  let asked = 0
  const server = createServer((_request, answer) => {
    asked += 1
    answer.end('{"keys":[]}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
