import { once } from 'node:events'
import { type Clock, Secret } from '@aegis/core'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import type { GatewayOptions } from '../open-gateway.ts'
import { systemClock } from '../system-clock.ts'
import { answerAsOpenAi } from '../testing/fake-protocols.ts'
import { makeRecording, openAgentPort } from '../testing/open-agent-port.ts'
import {
  type Asked,
  openFakeUpstream,
  sendFakeEvents,
  sendFakeJson,
} from '../testing/open-fake-upstream.ts'
import {
  makeLogLines,
  openTestGateway,
  testKey,
  testProvider,
  testSelection,
} from '../testing/open-test-gateway.ts'

type Answer = Parameters<typeof openFakeUpstream>[0]

/** A gateway before one fake OpenAI server, on a clock that does not wait. */
async function openStack(answer: Answer, more: Partial<GatewayOptions> = {}) {
  const stack = new AsyncDisposableStack()
  const upstream = stack.use(await openFakeUpstream(answer))
  const slept: number[] = []
  const clock: Clock = {
    ...systemClock,
    async sleep(ms) {
      slept.push(ms)
    },
  }
  const logger = makeLogLines()
  const provider = testProvider('openai', upstream.url, { api_key: testKey })
  const gateway = stack.use(
    openTestGateway([provider], { clock, logger, random: () => 0.5, ...more }),
  )
  const recording = makeRecording()
  const { url } = stack.use(await openAgentPort(gateway, recording))
  const ask = (fields: object = {}, signal?: AbortSignal) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], ...fields }),
      ...(signal === undefined ? {} : { signal }),
    })
  return {
    upstream,
    recording,
    logger,
    slept,
    url,
    ask,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** Fails as often as there are answers, then answers well. */
function failing(...answers: Answer[]): Answer {
  let next = 0
  return (asked, response) => (answers[next++] ?? answerAsOpenAi)(asked, response)
}

const status =
  (code: number, headers: Record<string, string> = {}, body: unknown = {}): Answer =>
  (_asked, response) =>
    sendFakeJson(response, body, code, headers)

const piece = (content: string) => ({ choices: [{ index: 0, delta: { content } }] })

describe('another attempt', () => {
  it('waits as long as the provider asks', async () => {
    await using stack = await openStack(failing(status(429, { 'retry-after': '7' })))

    const response = await stack.ask()

    expect(response.status).toBe(200)
    expect(stack.slept).toEqual([7000])
    expect(stack.recording.calls).toMatchObject([{ attempts: 2, response: 'Grüße, world' }])
  })

  it.each([408, 409, 425, 500, 502, 503, 529])('follows a status of %d', async (code) => {
    await using stack = await openStack(failing(status(code), status(code)))

    expect((await stack.ask()).status).toBe(200)
    expect(stack.slept).toEqual([0.5, 1])
  })

  it('follows a connection that is cut before the answer', async () => {
    await using stack = await openStack(failing((_asked, response) => void response.destroy()))

    expect((await stack.ask()).status).toBe(200)
    expect(stack.recording.calls).toMatchObject([{ attempts: 2 }])
  })

  it('follows a stream that fails before its first piece', async () => {
    const overloaded: Answer = (_asked, response) =>
      sendFakeEvents(response, [{ error: { message: 'overloaded' } }])
    const empty: Answer = (_asked, response) => sendFakeEvents(response, [])
    await using stack = await openStack(failing(overloaded, empty))

    const response = await stack.ask({ stream: true })

    expect(response.status).toBe(200)
    expect(await response.text()).toContain('[DONE]')
    expect(stack.recording.calls).toMatchObject([{ attempts: 3, response: 'Grüße, world' }])
  })

  it('is not made when the provider asks for too long a wait', async () => {
    await using stack = await openStack(status(429, { 'retry-after': '3600' }))

    const response = await stack.ask()

    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('3600')
    expect(stack.upstream.asked).toHaveLength(1)
  })

  it.each([400, 413, 422])('does not follow a status of %d, which is passed on', async (code) => {
    const body = { error: { message: 'Too many tokens', code: 'context_length_exceeded' } }
    await using stack = await openStack(status(code, {}, body))

    const response = await stack.ask()

    expect(response.status).toBe(code)
    expect(await response.json()).toMatchObject({
      error: {
        message: `Provider "openai" answered ${code}: Too many tokens`,
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
      },
    })
    expect(stack.upstream.asked).toHaveLength(1)
    expect(stack.recording.calls).toMatchObject([{ error: expect.stringContaining('tokens') }])
  })

  it('ends after the configured attempts, with what the last one said', async () => {
    await using stack = await openStack(status(503, {}, { error: { message: 'Busy' } }))

    const response = await stack.ask()

    expect(response.status).toBe(503)
    expect(stack.upstream.asked).toHaveLength(testSelection.max_retries)
    expect(stack.recording.calls).toMatchObject([
      { attempts: 3, error: 'Provider "openai" answered 503: Busy', promptTokens: 0 },
    ])
  })

  it('goes to the fallback provider in the end', async () => {
    await using spare = await openFakeUpstream(answerAsOpenAi)
    await using broken = await openFakeUpstream(status(500))
    const providers = [
      testProvider('openai', broken.url, { name: 'first' }),
      testProvider('openai-compatible', spare.url, {
        name: 'spare',
        models: [
          {
            alias: 'other',
            model: 'spare-model',
            capabilities: [],
            context_window: 1,
            cost_per_1k_tokens: 0,
          },
        ],
      }),
    ]
    const selection = { ...testSelection, fallback_provider: 'spare' }
    await using gateway = openTestGateway(providers, { selection })
    const recording = makeRecording()
    await using port = await openAgentPort(gateway, recording)

    const client = new OpenAI({ baseURL: `${port.url}/v1`, apiKey: 'none' })
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const answer = await client.chat.completions.create({ model: 'default', messages })

    expect(answer.choices[0]?.message.content).toBe('Grüße, world')
    expect(broken.asked).toHaveLength(3)
    expect(recording.calls).toMatchObject([
      { provider: 'spare', model: 'spare-model', attempts: 4 },
    ])
  })
})

describe('a provider that misbehaves', () => {
  it('in the middle of a stream ends it with an error, and what came is recorded', async () => {
    await using stack = await openStack((_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${JSON.stringify(piece('Half an'))}\n\ndata: {"choi`)
      setImmediate(() => response.destroy())
    })

    const text = await (await stack.ask({ stream: true })).text()

    expect(text).toContain('Half an')
    const last = text.trim().split('\n\n').at(-1)?.replace('data: ', '') ?? ''
    expect(JSON.parse(last)).toMatchObject({ error: { type: 'server_error' } })
    expect(text).not.toContain('[DONE]')
    expect(stack.upstream.asked).toHaveLength(1)
    expect(stack.recording.calls).toMatchObject([
      { response: 'Half an', error: expect.stringContaining('openai') },
    ])
  })

  it('by leaving out the last frame is forgiven when the answer was complete', async () => {
    await using stack = await openStack((_asked, response) =>
      sendFakeEvents(response, [
        piece('All of it'),
        { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      ]),
    )

    const text = await (await stack.ask({ stream: true })).text()

    expect(text).toMatch(/data: \[DONE\]\n\n$/)
    expect(stack.recording.calls).toMatchObject([{ response: 'All of it' }])
  })

  it('by stalling is given up after the time-out', async () => {
    await using stack = await openStack(
      (_asked, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`data: ${JSON.stringify(piece('One'))}\n\n`)
      },
      { selection: { ...testSelection, timeout_seconds: 0.2 } },
    )

    const text = await (await stack.ask({ stream: true })).text()

    expect(text).toContain('did not answer in time')
    expect(stack.recording.calls).toMatchObject([{ response: 'One' }])
  })

  it('by sending byte for byte is understood', async () => {
    await using stack = await openStack(async (asked, response) => {
      const whole: Buffer[] = []
      const catcher = { writeHead() {}, write: (t: string) => whole.push(Buffer.from(t)), end() {} }
      answerAsOpenAi(asked, Object.assign(Object.create(response), catcher))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const byte of Buffer.concat([...whole, Buffer.from('data: [DONE]\n\n')])) {
        if (!response.write(Buffer.of(byte))) await once(response, 'drain')
      }
      response.end()
    })

    const text = await (await stack.ask({ stream: true })).text()

    expect(text).toContain('Grüße')
    expect(stack.recording.calls).toMatchObject([{ response: 'Grüße, world', promptTokens: 11 }])
  })

  it.each([
    ['garbage', Buffer.from([0, 255, 254, 10, 13, 10, 10, 1, 2, 3])],
    ['a page', Buffer.from('<html><body>Welcome</body></html>')],
    ['other JSON', Buffer.from('{"hello":"world"}')],
    ['frames of other JSON', Buffer.from('data: {"choices":5}\n\n')],
    ['nothing', Buffer.alloc(0)],
  ])('by answering with %s is an error of its own', async (_name, bytes) => {
    await using stack = await openStack((_asked, response) => void response.end(bytes))

    for (const stream of [false, true]) {
      const response = await stack.ask({ stream })
      expect(response.status).toBe(502)
      expect(await response.json()).toMatchObject({ error: { type: 'server_error' } })
    }
    expect(stack.recording.calls.every(({ error }) => error !== undefined)).toBe(true)
  })

  it('by answering without an end is cut off', async () => {
    await using stack = await openStack(async ({ body }, response) => {
      const flood = Buffer.alloc(1024 * 1024, 'x')
      if (body.stream === true) response.write('data: ')
      // Waits for ever once the gateway has hung up.
      while (response.write(flood) || (await once(response, 'drain')));
    })

    for (const stream of [false, true]) {
      const response = await stack.ask({ stream })
      expect(response.status).toBe(502)
      expect(await response.text()).toContain('more than')
    }
  })

  it('by repeating the key is cut off before the agent sees it', async () => {
    const echoing: Answer = ({ headers, body }, response) => {
      if (body.stream !== true) sendFakeJson(response, { choices: [], said: headers })
      else sendFakeEvents(response, [piece('fine'), piece(String(headers.authorization))])
    }
    await using stack = await openStack(echoing)

    const whole = await stack.ask()
    const streamed = await (await stack.ask({ stream: true })).text()

    expect(whole.status).toBe(502)
    expect(streamed).toContain('withheld')
    expectNoKey([await whole.text(), streamed, stack])
  })
})

describe('the key of a provider', () => {
  it.each([
    400, 401, 403, 404, 429, 500,
  ])('is in no answer, record or log when it is quoted with a status of %d', async (code) => {
    const quoting = ({ headers }: Asked) => `Bad key ${headers.authorization} in ${testKey}`
    await using stack = await openStack((asked, response) =>
      sendFakeJson(response, { error: { message: quoting(asked), code: testKey } }, code),
    )

    const response = await stack.ask()

    expectNoKey([await response.text(), [...response.headers], stack])
    expect(response.status).toBe(code === 401 || code === 403 || code === 500 ? 502 : code)
  })

  it('is named to the operator, not to the agent, when it is refused', async () => {
    await using stack = await openStack(status(401))

    const response = await stack.ask()

    expect(response.headers.get('x-should-retry')).toBe('false')
    expect(await response.text()).toMatch(/operator checks api_key of this provider/)
  })

  it('leaves its provider out, with a warning, when it is missing or broken', async () => {
    const logger = makeLogLines()
    const configs = [
      testProvider('openai', 'https://a.invalid/v1', { name: 'a', api_key: 'env:MISSING' }),
      testProvider('openai', 'https://b.invalid/v1', { name: 'b', api_key: 'env:BROKEN' }),
    ]
    const secret = (reference: string) =>
      reference === 'env:BROKEN' ? new Secret('two\nlines') : undefined
    await using gateway = openTestGateway(configs, { logger, secret })
    await using port = await openAgentPort(gateway)

    const response = await fetch(`${port.url}/api/llm/generate`, {
      method: 'POST',
      body: '{"prompt":"Hi"}',
    })

    expect(gateway.scripted).toBe(false)
    expect(gateway.models()).toEqual([])
    expect(logger.lines.filter((line) => line.startsWith('LLM provider left out'))).toHaveLength(2)
    expect(response.status).toBe(404)
    expect(await response.text()).toContain('no LLM provider is usable')
  })
})

describe('an agent that leaves', () => {
  it('takes its call to the provider with it', async () => {
    const { promise: asked, resolve } = Promise.withResolvers<Asked>()
    await using stack = await openStack((request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`data: ${JSON.stringify(piece('One'))}\n\n`)
      resolve(request)
    })
    const leaving = new AbortController()

    const response = await stack.ask({ stream: true }, leaving.signal)
    const { closed } = await asked
    leaving.abort()
    await closed

    await expect(response.text()).rejects.toThrow()
    await expect
      .poll(() => stack.recording.calls)
      .toMatchObject([{ response: 'One', error: expect.stringContaining('hung up') }])
  })
})

function expectNoKey(things: readonly unknown[]): void {
  const [first] = things.slice(-1)
  expect(
    JSON.stringify([...things.slice(0, -1), first === undefined ? [] : shown(first)]),
  ).not.toContain(testKey)
}

const shown = (stack: unknown): unknown =>
  typeof stack === 'object' && stack !== null && 'recording' in stack && 'logger' in stack
    ? [stack.recording, stack.logger]
    : stack
