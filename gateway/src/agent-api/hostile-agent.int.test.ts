import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { limits } from '../limits.ts'
import { makeRecording, openAgentPort, testIdentity } from '../testing/open-agent-port.ts'
import { openFakeUpstream } from '../testing/open-fake-upstream.ts'
import { openTestGateway, testProvider } from '../testing/open-test-gateway.ts'

/** Sends raw bytes through a door of an offline gateway and gives what comes back. */
async function exchange(raw: string | Buffer): Promise<string> {
  await using gateway = openTestGateway([])
  using door = gateway.admit(testIdentity, makeRecording())
  const [inside, outside] = duplexPair()
  door.connect({ kind: 'agent-api' }, outside)
  inside.write(raw)
  return await text(inside)
}

describe('a request that is no request', () => {
  it.each([
    ['garbage', '\x00\x01\x02\r\n\r\n'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc'],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
  ])('such as %s is refused and its connection closed', async (_name, raw) => {
    expect(await exchange(raw)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('with too long a head is refused, and told the bound', async () => {
    const raw = `GET / HTTP/1.1\r\nx: ${'a'.repeat(limits.headBytes)}\r\n\r\n`
    expect(await exchange(raw)).toMatch(/^HTTP\/1\.1 431 .*16384 bytes/s)
  })

  it('such as CONNECT is refused', async () => {
    expect(await exchange('CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('')
  })
})

describe('a body', () => {
  it('that says it is too large is refused before it is read', async () => {
    const answer = await exchange(
      'POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n{',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('"type":"request_too_large"')
  })

  it.each([
    ['/api/llm/generate', { error: expect.any(String), code: 'llm.request' }],
    ['/api/chat', { error: expect.stringContaining('messages'), code: 'llm.request' }],
    [
      '/v1/chat/completions',
      { error: { type: 'invalid_request_error', message: expect.stringContaining('messages') } },
    ],
    ['/v1/messages', { type: 'error', error: { type: 'invalid_request_error' } }],
  ])('that is malformed is refused by %s in its own words', async (path, expected) => {
    await using gateway = openTestGateway([])
    const recording = makeRecording()
    await using port = await openAgentPort(gateway, recording)

    const response = await fetch(port.url + path, { method: 'POST', body: '{"messages":7}' })

    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject(expected)
    expect(recording.calls).toEqual([])
  })
})

it('names its routes to an agent that asks for another', async () => {
  await using gateway = openTestGateway([])
  await using port = await openAgentPort(gateway)

  const openai = await fetch(`${port.url}/v1/responses`, { method: 'POST', body: '{}' })
  const anthropic = await fetch(`${port.url}/v1/messages/batches`)
  const ollama = await fetch(`${port.url}/api/pull`, { method: 'POST', body: '{}' })
  const other = await fetch(`${port.url}/__proto__`)

  for (const response of [openai, anthropic, ollama, other]) expect(response.status).toBe(404)
  expect(await openai.json()).toMatchObject({
    error: { message: expect.stringContaining('POST /v1/chat/completions') },
  })
  expect(await anthropic.json()).toMatchObject({
    type: 'error',
    error: { type: 'not_found_error' },
  })
  expect(await ollama.json()).toMatchObject({ error: expect.stringContaining('/api/chat') })
  expect(await other.json()).toMatchObject({ code: 'request.no-route' })
})

it('names the aliases to an agent that asks for an unknown model, and records that', async () => {
  await using gateway = openTestGateway([])
  const recording = makeRecording()
  await using port = await openAgentPort(gateway, recording)

  const response = await fetch(`${port.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'gpt-9', messages: [{ role: 'user', content: 'Hi' }] }),
  })

  expect(response.status).toBe(404)
  expect(await response.json()).toMatchObject({
    error: { code: 'model_not_found', message: expect.stringContaining('default, fast, smart') },
  })
  expect(recording.calls).toMatchObject([{ provider: 'none', alias: 'gpt-9', attempts: 0 }])
})

it('denies every other connection, and records it', async () => {
  await using gateway = openTestGateway([])
  const recording = makeRecording()
  using door = gateway.admit(testIdentity, recording)
  const [, outside] = duplexPair()

  door.connect({ kind: 'tcp', host: 'example.com', port: 443 }, outside)
  await once(outside, 'close')

  expect(recording.denials).toEqual([
    {
      action: 'network.connect',
      subject: 'example.com:443',
      reason: expect.stringContaining('spec.security.network.mode'),
      code: 'egress.no-network',
    },
  ])
})

it('serves no more requests of one sandbox at a time than it may, and others besides', async () => {
  const waiting: (() => void)[] = []
  await using upstream = await openFakeUpstream(
    (_asked, response) =>
      new Promise((resolve) => {
        waiting.push(() => {
          response.end('{"choices":[{"message":{"content":"ok"}}]}')
          resolve()
        })
      }),
  )
  await using gateway = openTestGateway([testProvider('openai-compatible', upstream.url)])
  await using port = await openAgentPort(gateway)
  await using neighbour = await openAgentPort(gateway)
  const ask = (url = port.url) =>
    fetch(`${url}/api/llm/generate`, { method: 'POST', body: '{"prompt":"Hi"}' })

  const running = Array.from({ length: limits.requests }, () => ask())
  await expect.poll(() => upstream.asked.length).toBe(limits.requests)
  const refused = await ask()
  const elsewhere = ask(neighbour.url)
  await expect.poll(() => upstream.asked.length).toBe(limits.requests + 1)
  for (const finish of waiting) finish()

  expect(refused.status).toBe(429)
  expect(refused.headers.get('retry-after')).toBe('1')
  expect((await elsewhere).status).toBe(200)
  for (const response of await Promise.all(running)) expect(response.status).toBe(200)
})

it('opens no more connections for one sandbox than it may', async () => {
  await using gateway = openTestGateway([])
  using door = gateway.admit(testIdentity, makeRecording())
  const pairs = Array.from({ length: limits.connections + 1 }, () => duplexPair())
  for (const [, outside] of pairs) door.connect({ kind: 'agent-api' }, outside)

  expect(pairs.filter(([, outside]) => outside.destroyed)).toHaveLength(1)
})

describe('a sandbox that ends', () => {
  it('ends its connections and its calls to providers', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<{ closed: Promise<unknown> }>()
    await using upstream = await openFakeUpstream((request) => resolve(request))
    await using gateway = openTestGateway([testProvider('openai-compatible', upstream.url)])
    const recording = makeRecording()
    const door = gateway.admit(testIdentity, recording)
    const [inside, outside] = duplexPair()
    door.connect({ kind: 'agent-api' }, outside)
    post(inside, '/api/llm/generate', '{"prompt":"Hi"}')
    const { closed } = await asked

    door[Symbol.dispose]()
    await closed

    expect(outside.destroyed).toBe(true)
    await expect.poll(() => recording.calls).toHaveLength(1)
    const [, late] = duplexPair()
    door.connect({ kind: 'agent-api' }, late)
    expect(late.destroyed).toBe(true)
  })
})

it('gives no answer that could not be recorded', async () => {
  await using gateway = openTestGateway([])
  const recorder = {
    ...makeRecording(),
    llmCalled: () => Promise.reject(new Error('disk full')),
  }
  await using port = await openAgentPort(gateway, recorder)
  const ask = (fields: object) =>
    fetch(`${port.url}/api/llm/generate`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'Echo: secret plan', ...fields }),
    })

  const whole = await ask({})
  const streamed = await (await ask({ stream: true })).text()

  expect(whole.status).toBe(500)
  expect(await whole.text()).not.toMatch(/plan|disk/)
  expect(streamed).not.toContain('"done"')
  expect(streamed).toContain('"code":"internal"')
})

function post(stream: Duplex, path: string, body: string): void {
  stream.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
