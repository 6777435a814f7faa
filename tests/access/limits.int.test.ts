import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { homeToken, openAccessScene } from './access-scene.ts'

describe('the rate of requests', () => {
  it('is limited for each caller, who learns when to come back', async () => {
    await using scene = await openAccessScene({ rates: { requestsPerMinute: 3 } })
    const [one, two] = [await scene.token('viewer'), await scene.token('viewer')]
    const ask = (token: string) => scene.ask('GET /api/whoami', { token })
    for (let n = 0; n < 3; n += 1) expect((await ask(one)).status).toBe(200)
    const refused = await ask(one)
    expect(refused).toMatchObject({
      status: 429,
      body: { kind: 'exhausted', code: 'access.rate', details: { retry_after_seconds: 20 } },
    })
    expect(refused.headers.get('retry-after')).toBe('20')
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect((await ask(two)).status).toBe(200)
    scene.advance(20_000)
    expect((await ask(one)).status).toBe(200)
    expect((await ask(one)).status).toBe(429)
    expect((await scene.ask('GET /health')).status).toBe(200)
  })

  it('leaves the command line of the owner usable, however low it is set', async () => {
    await using scene = await openAccessScene({ rates: { requestsPerMinute: 1 } })
    for (let n = 0; n < 50; n += 1) {
      expect((await scene.ask('GET /api/whoami', { token: homeToken })).status).toBe(200)
    }
  })

  it('is limited for wrong tokens of one address, while right ones still open', async () => {
    await using scene = await openAccessScene({ rates: { failuresPerMinute: 4 } })
    const right = await scene.token('viewer')
    const wrong = (n: number) => scene.ask('GET /api/agents', { token: `${'a'.repeat(42)}${n}` })
    for (let n = 0; n < 4; n += 1) expect((await wrong(n)).status).toBe(401)
    const refused = await wrong(5)
    expect(refused).toMatchObject({ status: 429, body: { code: 'access.rate' } })
    expect(refused.headers.get('retry-after')).toBe('15')
    expect((await scene.ask('GET /api/agents', { token: right })).status).toBe(200)
    expect((await scene.ask('GET /api/agents', { token: homeToken })).status).toBe(200)
    scene.advance(60_000)
    expect((await wrong(6)).status).toBe(401)
  })
})

/** What a browser, or a name that somebody points at the node, would send. */
describe('a web page', () => {
  const upgrade = {
    connection: 'upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  }
  const preflight = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization',
  }

  it.each([
    ['GET', '/api/agents', {}],
    ['POST', '/api/agents', {}],
    ['GET', '/api/sandboxes/events', { accept: 'text/event-stream' }],
    ['GET', '/api/agents', upgrade],
    ['OPTIONS', '/api/agents', preflight],
    ['GET', '/health', {}],
    ['GET', '/nowhere', {}],
  ])('of another name or site gets nothing: %s %s %o', async (method, path, headers) => {
    await using scene = await openAccessScene({ allowedHosts: ['aegis.example'] })
    const { port } = scene.api
    const send = (host: string, origin?: string) =>
      exchange(port, `${method} ${path} HTTP/1.1`, {
        host,
        authorization: `Bearer ${homeToken}`,
        'content-length': '0',
        ...(origin !== undefined && { origin }),
        connection: 'close',
        ...headers,
      })
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '10.0.0.1',
      '',
    ]) {
      expect(await send(host), host).toMatch(/^HTTP\/1\.1 4(21|00) /)
    }
    const own = `127.0.0.1:${port}`
    for (const origin of [
      'https://evil.example',
      'null',
      `http://127.0.0.1.evil.example:${port}`,
      `http://127.0.0.1:${port + 1}`,
      `http://localhost:${port}`,
    ]) {
      expect(await send(own, origin), origin).toMatch(/^HTTP\/1\.1 403 /)
    }
    const welcome = await send(own, `http://${own}`)
    expect(welcome).not.toMatch(/^HTTP\/1\.1 (101|403|421)/)
    expect(welcome).not.toMatch(/access-control-allow/i)
    expect(await send('aegis.example')).not.toMatch(/^HTTP\/1\.1 421/)
  })
})

/** The head of the answer. */
async function exchange(
  port: number,
  line: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.write(`${[line, ...head].join('\r\n')}\r\n\r\n`)
  const answer = Promise.withResolvers<string>()
  let got = ''
  socket.on('data', (chunk) => {
    got += chunk
    if (got.includes('\r\n\r\n')) answer.resolve(got)
  })
  socket.on('error', answer.reject)
  socket.on('close', () => answer.resolve(got))
  try {
    return await answer.promise
  } finally {
    socket.destroy()
  }
}
