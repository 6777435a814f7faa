import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { SecretPlace } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Headers } from './http/header-list.ts'
import { sha256, signSigV4 } from './secrets/sigv4.ts'
import { aSecret } from './testing/a-secret.ts'
import {
  type InspectScene,
  type InspectSceneOptions,
  openInspectScene,
} from './testing/open-inspect-scene.ts'

const value = 'ghp_R3al/Value+of=the"secret'
const placeholder = `aegis-secret-${'0123456789abcdef'.repeat(2)}`
const base64 = (plain: string): string => Buffer.from(plain).toString('base64')

interface SecretSceneOptions
  extends Pick<InspectSceneOptions, 'site' | 'plain' | 'raw' | 'refuse'> {
  readonly places?: readonly SecretPlace[]
  readonly value?: string
}

/** An agent with a secret for `site.test`, which may reach `other.test` too. */
const open = (options: SecretSceneOptions = {}): Promise<InspectScene> =>
  openInspectScene({
    allow: ['site.test:PORT', 'other.test:PORT'],
    secrets: (port) => [
      aSecret({
        name: 'github',
        placeholder,
        value: options.value ?? value,
        hosts: [`site.test:${port}`],
        ...(options.places && { places: options.places }),
      }),
    ],
    ...options,
  })

describe('a secret is put in', () => {
  it.each<[SecretPlace, string, Record<string, string>, Record<string, string>, string]>([
    ['header', '/', { 'x-api-key': placeholder }, { 'x-api-key': value }, '/'],
    [
      'header',
      '/',
      { authorization: `token ${placeholder}` },
      { authorization: `token ${value}` },
      '/',
    ],
    ['header', '/', { cookie: `a=1; s=${placeholder}` }, { cookie: `a=1; s=${value}` }, '/'],
    [
      'bearer',
      '/',
      { authorization: `Bearer ${placeholder}` },
      { authorization: `Bearer ${value}` },
      '/',
    ],
    [
      'basic',
      '/',
      { authorization: `Basic ${base64(`me:${placeholder}`)}` },
      { authorization: `Basic ${base64(`me:${value}`)}` },
      '/',
    ],
    ['query', `/?a=1&key=${placeholder}`, {}, {}, `/?a=1&key=${encodeURIComponent(value)}`],
  ])('as %s, and recorded before it is sent', async (place, target, headers, expected, sent) => {
    await using scene = await open({ places: [place] })
    expect((await scene.ask(target, { headers })).status).toBe(200)
    expect(scene.seen[0]?.headers).toMatchObject(expected)
    expect(scene.seen[0]?.url).toBe(sent)
    expect(scene.egress.recording.secretUses).toEqual([
      {
        secret: 'github',
        connection: 1,
        host: 'site.test',
        port: scene.port,
        place,
        method: 'GET',
        path: '/',
        policies: ['permit'],
      },
    ])
  })

  it('only once that is on record', async () => {
    await using scene = await open()
    scene.egress.recording.secretUsed = () => Promise.reject(new Error('disk full'))
    const told = await scene.ask('/', { headers: { 'x-api-key': placeholder } })
    expect(told.status).toBe(500)
    expect(told.text).not.toContain('disk')
    expect(scene.seen).toEqual([])
  })

  it('only where the policy permits', async () => {
    await using scene = await open({ refuse: ({ action }) => action === 'secret.use' })
    const told = await scene.ask('/', { headers: { 'x-api-key': placeholder } })
    expect(told.status).toBe(403)
    expect(JSON.parse(told.text)).toMatchObject({
      code: 'secret.forbidden',
      policies: ['forbidden'],
    })
    expect(scene.reached).toEqual([])
  })

  it('and cannot bring headers of its own', async () => {
    await using scene = await open({ value: 'a\r\nX-Injected: 1' })
    const told = await scene.ask('/', { headers: { 'x-api-key': placeholder } })
    expect(told.status).toBe(502)
    expect(JSON.parse(told.text)).toMatchObject({ code: 'secret.unfit' })
    expect(told.text).not.toContain('Injected')
    expect(scene.seen).toEqual([])
  })

  it('in place of credentials that the agent brings', async () => {
    await using scene = await open()
    await scene.ask('/', {
      headers: {
        authorization: 'Bearer of-somebody-else',
        cookie: 'session=of-somebody-else',
        'x-api-key': placeholder,
        'private-token': 'x',
        'x-other': 'kept',
      },
    })
    const names = Object.keys(scene.seen[0]?.headers ?? {})
    expect(names).toEqual(expect.arrayContaining(['x-api-key', 'x-other']))
    for (const name of ['authorization', 'cookie', 'private-token'])
      expect(names).not.toContain(name)
  })

  it('while credentials for a host without a secret stay', async () => {
    await using scene = await open()
    await scene.ask('/', { host: 'other.test', headers: { authorization: 'Bearer own' } })
    expect(scene.seen[0]?.headers.authorization).toBe('Bearer own')
  })
})

describe('a placeholder', () => {
  const form = {
    percent: placeholder.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`),
    json: JSON.stringify({ a: placeholder }),
  }
  it.each<[string, string, Parameters<InspectScene['ask']>[1]]>([
    ['to another host', '/', { host: 'other.test', headers: { 'x-api-key': placeholder } }],
    ['to another host, as a name', '/', { host: 'other.test', headers: { [placeholder]: '1' } }],
    [
      'to another host, in base64',
      '/',
      { host: 'other.test', headers: { authorization: `Basic ${base64(`u:${placeholder}`)}` } },
    ],
    ['to another host, in its query', `/?q=${placeholder}`, { host: 'other.test' }],
    ['to another host, in its body', '/', { host: 'other.test', method: 'POST', body: form.json }],
    ['in the path', `/${placeholder}`, {}],
    ['in the path, escaped', `/${form.percent}`, {}],
    ['in the query, escaped', `/?q=${form.percent}`, {}],
    ['in the body', '/', { method: 'POST', body: form.json }],
    ['in the body, in base64', '/', { method: 'POST', body: base64(`xy${placeholder}`) }],
    [
      'in the body, in hexadecimal',
      '/',
      { method: 'POST', body: Buffer.from(placeholder).toString('hex') },
    ],
    [
      'in the body, in chunks',
      '/',
      { method: 'POST', body: placeholder, headers: { 'transfer-encoding': 'chunked' } },
    ],
    [
      'at the end of a long body',
      '/',
      { method: 'POST', body: `${'x'.repeat(500_000)}${placeholder}` },
    ],
    ['in a header, escaped', '/', { headers: { 'x-api-key': form.percent } }],
    ['as a bearer in base64', '/', { headers: { authorization: `Bearer ${base64(placeholder)}` } }],
    [
      'cut into itself',
      '/',
      { headers: { 'x-api-key': placeholder.slice(0, 9) + placeholder + placeholder.slice(9) } },
    ],
  ])('%s is refused, recorded, and does not get there', async (_name, target, ask) => {
    let body = ''
    await using scene = await open({
      site: (incoming) =>
        void incoming
          .on('data', (chunk) => {
            body += chunk
          })
          .on('error', () => undefined),
    })
    const told = await scene.ask(target, ask)
    expect(told.status).toBe(403)
    expect(JSON.parse(told.text)).toMatchObject({ code: 'secret.leaked' })
    const host = ask?.host ?? 'site.test'
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([
        { action: 'secret.use', subject: `github -> ${host}:${scene.port}`, code: 'secret.leaked' },
      ])
    expect(scene.egress.recording.secretUses).toEqual([])
    if (ask?.body === undefined) expect(scene.reached).toEqual([])
    for (const each of [body, ...everything(scene)]) {
      for (const secret of [placeholder.slice(13), base64(placeholder).slice(20)]) {
        expect(each.toLowerCase()).not.toContain(secret.toLowerCase())
      }
      expect(each).not.toContain(value)
    }
  })

  it.each<[SecretPlace, Record<string, string>]>([
    ['query', { 'x-api-key': placeholder }],
    ['bearer', { 'x-api-key': placeholder }],
    ['bearer', { authorization: `token ${placeholder}` }],
    ['header', { authorization: `Basic ${base64(`u:${placeholder}`)}` }],
    ['basic', { authorization: `Bearer ${placeholder}` }],
  ])('of a secret made for %s is refused elsewhere', async (place, headers) => {
    await using scene = await open({ places: [place] })
    expect((await scene.ask('/', { headers })).status).toBe(403)
    expect(scene.reached).toEqual([])
  })

  it('is refused without TLS, even to its own host', async () => {
    await using scene = await open({ plain: true })
    const told = await scene.ask('/', { headers: { 'x-api-key': placeholder } })
    expect(JSON.parse(told.text)).toMatchObject({ code: 'secret.leaked' })
    expect(scene.reached).toEqual([])
  })

  it('in a trailer does not get there', async () => {
    let raw = ''
    await using scene = await open({
      raw: (socket) =>
        void socket.on('data', (chunk) => {
          raw += chunk
        }),
    })
    const stream = await scene.connect()
    stream.write(
      `POST / HTTP/1.1\r\nHost: site.test:${scene.port}\r\nTransfer-Encoding: chunked\r\nTrailer: x-a\r\n\r\n1\r\na\r\n0\r\nx-a: ${placeholder}\r\n\r\n`,
    )
    await expect.poll(() => raw).toContain('0\r\n\r\n')
    expect(raw).not.toContain('aegis-secret')
  })
})

describe('the value of a secret, sent back', () => {
  const echoed: Record<string, string> = {
    plain: `{"token":"${value}"}`,
    'in JSON': JSON.stringify({ token: value }),
    'in a URL': `https://x/?t=${encodeURIComponent(value)}`,
    'in base64': base64(`Authorization: ${value}`),
    'in hexadecimal': Buffer.from(value).toString('hex'),
  }
  const answers: Record<
    string,
    (text: string) => { body: Buffer; headers: Record<string, string> }
  > = {
    'with its length': (told) => ({
      body: Buffer.from(told),
      headers: { 'content-length': String(Buffer.byteLength(told)) },
    }),
    'in chunks': (told) => ({ body: Buffer.from(told), headers: {} }),
    'as gzip': (told) => ({ body: gzipSync(told), headers: { 'content-encoding': 'gzip' } }),
    'as deflate': (told) => ({
      body: deflateSync(told),
      headers: { 'content-encoding': 'deflate' },
    }),
    'as br': (told) => ({ body: brotliCompressSync(told), headers: { 'content-encoding': 'br' } }),
  }

  it.each(
    Object.keys(answers).flatMap((how) => Object.keys(echoed).map((form) => [how, form])),
  )('%s, %s, is taken out', async (how, form) => {
    const { body, headers } = answers[how]?.(`before ${echoed[form]} after`) ?? never()
    await using scene = await open({
      site: (_, outgoing) => {
        outgoing.writeHead(200, headers)
        // In two pieces, cut in the middle of the value.
        const middle = Math.floor(body.length / 2)
        outgoing.write(body.subarray(0, middle))
        setImmediate(() => outgoing.end(body.subarray(middle)))
      },
    })
    const told = await scene.ask('/', { headers: { 'accept-encoding': 'gzip, br, zstd' } })
    expect(scene.seen[0]?.headers['accept-encoding']).toBe('identity')
    expect(told.text).toContain('[secret]')
    expect(told.text).toMatch(/^before .* after$/)
    expect(told.headers).not.toHaveProperty('content-encoding')
    const length = told.headers['content-length']
    expect([undefined, String(told.text.length)]).toContain(length)
    for (const each of Object.values(echoed)) expect(told.text).not.toContain(each)
  })

  it('in headers, trailers and the reason is taken out', async () => {
    await using scene = await open({
      site: (_, outgoing) => {
        outgoing.writeHead(200, `Hi ${value}`, {
          'x-echo': `a ${value} b`,
          'set-cookie': [`s=${encodeURIComponent(value)}`],
          location: `/?t=${encodeURIComponent(value)}`,
          trailer: 'x-last',
        })
        outgoing.write('x')
        outgoing.addTrailers({ 'x-last': value })
        outgoing.end()
      },
    })
    const told = await scene.ask('/')
    expect(told.headers).toMatchObject({
      'x-echo': 'a [secret] b',
      'set-cookie': ['s=[secret]'],
      location: '/?t=[secret]',
    })
    expect(told.trailers).toEqual({ 'x-last': '[secret]' })
  })

  it('by another host is taken out as well', async () => {
    await using scene = await open({ site: (_, outgoing) => void outgoing.end(value) })
    expect((await scene.ask('/', { host: 'other.test' })).text).toBe('[secret]')
  })

  it('packed in a way that cannot be read is refused', async () => {
    await using scene = await open({
      site: (_, outgoing) => {
        outgoing.setHeader('content-encoding', 'zstd')
        outgoing.end('x')
      },
    })
    const told = await scene.ask('/')
    expect(told.status).toBe(502)
    expect(JSON.parse(told.text)).toMatchObject({ code: 'egress.unreadable-encoding' })
  })

  it('cannot be fetched piece by piece', async () => {
    await using scene = await open({
      site({ headers }, outgoing) {
        const echo = Buffer.from(String(headers['x-api-key']))
        const [, from = '', to = ''] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
        outgoing.statusCode = from === '' ? 200 : 206
        outgoing.end(from === '' ? echo : echo.subarray(Number(from), Number(to) + 1))
      },
    })
    const headers = { 'x-api-key': placeholder, range: 'bytes=4-7' }
    expect(await scene.ask('/', { headers })).toMatchObject({ status: 200, text: '[secret]' })
    expect((await scene.ask('/', { headers: { range: 'bytes=0-3' } })).status).toBe(200)
    const other = await scene.ask('/', { headers: { range: 'bytes=0-3' }, host: 'other.test' })
    expect(other.status).toBe(206)
  })

  it('in an answer that is broken besides is no fault of the gateway, which logs nothing', async () => {
    const heads = [
      'HTTP/1.1 099 x\r\nContent-Length: 0',
      `HTTP/1.1 200 x\r\n${value.replaceAll(/[^\w]/g, '')}: x\r\nContent-Length: 0`,
      'HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\nContent-Length: 3',
    ]
    for (const head of heads) {
      await using scene = await open({
        value: value.replaceAll(/[^\w]/g, ''),
        raw: (socket) => void socket.once('data', () => socket.write(`${head}\r\n\r\nxyz`)),
      })
      const host = `site.test:${scene.port}`
      const told = await scene.exchange(
        `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      // The head of a packed one is through before it shows.
      if (!head.includes('gzip')) expect(told).toMatch(/^HTTP\/1\.1 502 .*egress\.upstream-failed/s)
      expect(scene.egress.lines).toEqual([])
      expect(scene.egress.recording.ended).toMatchObject([{ cause: 'egress.upstream-failed' }])
    }
  })

  it('is in no record and no log', async () => {
    await using scene = await open({ site: (_, outgoing) => void outgoing.end(value) })
    await scene.ask('/', { headers: { 'x-api-key': placeholder } })
    for (const each of everything(scene)) expect(each).not.toContain(value)
  })

  it('does not pass in pieces that a client asks to be sent slowly', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(12), { minLength: 1, maxLength: 4 }), async (sizes) => {
        await using scene = await open({
          site: async (_, outgoing) => {
            let at = 0
            for (let turn = 0; at < value.length; turn++) {
              const size = 1 + (sizes[turn % sizes.length] ?? 0)
              outgoing.write(value.slice(at, at + size))
              at += size
              await new Promise(setImmediate)
            }
            outgoing.end()
          },
        })
        expect((await scene.ask('/')).text).toBe('[secret]')
      }),
      { numRuns: 10 },
    )
  })
})

describe('a request signed for AWS', () => {
  const key = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' }
  const aws = `${key.accessKeyId}:${key.secretAccessKey}`
  const amzDate = '20150830T123600Z'
  const scope = { date: '20150830', region: 'us-east-1', service: 'service' }

  /** Signs as an unmodified SDK does that was given the placeholder as its key. */
  function signed(scene: InspectScene, target: string, more: Headers = [], body = '') {
    const headers: Headers = [['host', `site.test:${scene.port}`], ['x-amz-date', amzDate], ...more]
    const signedHeaders = headers.map(([name]) => name).sort()
    const own = { accessKeyId: placeholder, secretAccessKey: placeholder }
    const request = { method: 'POST', target, headers, payloadHash: sha256(body) }
    const authorization = signSigV4(request, { ...scope, signedHeaders }, amzDate, own)
    return {
      method: 'POST',
      body,
      headers: Object.fromEntries([...headers, ['authorization', authorization]]),
    }
  }

  /** What the server would have to find. */
  function expected(incoming: IncomingMessage | undefined, payloadHash: string, names: string[]) {
    const { url = '', headers } = incoming ?? never()
    const list = Object.entries(headers).map(([name, each]) => [name, String(each)] as const)
    const request = { method: 'POST', target: url, headers: list, payloadHash }
    return signSigV4(request, { ...scope, signedHeaders: names }, amzDate, key)
  }

  it('is signed with the key, over the request as it is sent', async () => {
    await using scene = await open({ places: ['sigv4'], value: aws })
    const told = await scene.ask('/a%20b?z=1&y=%2F', signed(scene, '/a%20b?z=1&y=%2F', [], 'body'))
    expect(told.status).toBe(200)
    expect(scene.seen[0]?.headers.authorization).toBe(
      expected(scene.seen[0], sha256('body'), ['host', 'x-amz-date']),
    )
    expect(scene.egress.recording.secretUses).toMatchObject([{ place: 'sigv4' }])
  })

  it('keeps the hash that it brings, and gets the token of the session', async () => {
    await using scene = await open({ places: ['sigv4'], value: `${aws}:SESSION//TOKEN==` })
    const hash: Headers = [
      ['x-amz-content-sha256', 'UNSIGNED-PAYLOAD'],
      ['x-amz-security-token', placeholder],
    ]
    expect((await scene.ask('/', signed(scene, '/', hash, 'body'))).status).toBe(200)
    expect(scene.seen[0]?.headers['x-amz-security-token']).toBe('SESSION//TOKEN==')
    const names = ['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-security-token']
    expect(scene.seen[0]?.headers.authorization).toBe(
      expected(scene.seen[0], 'UNSIGNED-PAYLOAD', names),
    )
    for (const each of everything(scene)) expect(each).not.toMatch(/SESSION|wJalr/)
  })

  it('waits in memory with so many others at most, and not for a client that left', async () => {
    await using scene = await open({ places: ['sigv4'], value: aws })
    const size = 15 * 1024 * 1024
    const { headers } = signed(scene, '/')
    const head = Object.entries(headers).map(([name, each]) => `${name}: ${each}\r\n`)
    const begin = async () => {
      const stream = await scene.connect()
      stream.write(`POST / HTTP/1.1\r\n${head.join('')}content-length: ${size}\r\n\r\n`)
      await new Promise((resolve) => stream.write(Buffer.alloc(size - 1), resolve))
      return stream
    }
    const others = await Promise.all([begin(), begin(), begin(), begin()])
    const stream = await scene.connect()
    stream.write(`POST / HTTP/1.1\r\n${head.join('')}content-length: ${size}\r\n\r\n`)
    stream.write(Buffer.alloc(size))
    expect(String((await once(stream, 'data'))[0])).toMatch(/^HTTP\/1\.1 429 /)
    for (const other of others) other.destroy()
    await expect
      .poll(async () => (await scene.ask('/', { ...signed(scene, '/'), body: 'x' })).status)
      .toBe(200)
    const last = await begin()
    last.write('x')
    expect(String((await once(last, 'data'))[0])).toMatch(/^HTTP\/1\.1 200 /)
  })

  it.each<[string, string, (request: ReturnType<typeof signed>) => void]>([
    [
      'in its URL',
      `/?X-Amz-Credential=${placeholder}%2F20150830%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0`,
      ({ headers }) => {
        headers.authorization = ''
      },
    ],
    [
      'in another form',
      '/',
      ({ headers }) => {
        headers.authorization = String(headers.authorization).replace('Signature=', 'Signatur=')
      },
    ],
    [
      'for another day',
      '/',
      ({ headers }) => {
        headers['x-amz-date'] = '20150831T123600Z'
      },
    ],
    [
      'piece by piece',
      '/',
      ({ headers }) => {
        headers['x-amz-content-sha256'] = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
      },
    ],
  ])('%s is refused, with the reason', async (_name, target, change) => {
    await using scene = await open({ places: ['sigv4'], value: aws })
    const request = signed(scene, target)
    change(request)
    const told = await scene.ask(target, request)
    expect(told.status).toBe(400)
    expect(JSON.parse(told.text)).toMatchObject({
      code: 'secret.sigv4',
      remedy: expect.any(String),
    })
    expect(scene.reached).toEqual([])
    await expect
      .poll(() => scene.egress.recording.denials)
      .toMatchObject([{ action: 'secret.use' }])
  })
})

/** All that was recorded and logged. */
const everything = ({ egress }: InspectScene): string[] => [
  JSON.stringify(egress.recording, (_key, each) => (typeof each === 'function' ? undefined : each)),
  ...egress.lines,
]

const never = (): never => {
  throw new Error('no such case')
}
