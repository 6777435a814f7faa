import type { LlmProviderConfig } from '@aegis/core'
import Anthropic from '@anthropic-ai/sdk'
import { Ollama } from 'ollama'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { answerAsAnthropic, answerAsOllama, answerAsOpenAi } from '../testing/fake-protocols.ts'
import { makeRecording, openAgentPort } from '../testing/open-agent-port.ts'
import { openFakeUpstream } from '../testing/open-fake-upstream.ts'
import { openTestGateway, testKey, testProvider } from '../testing/open-test-gateway.ts'

const parameters = { type: 'object' as const, properties: { city: { type: 'string' } } }
const weather = { name: 'get_weather', description: 'The weather of a city', parameters }

const providers = [
  { type: 'openai', answer: answerAsOpenAi },
  { type: 'openai-compatible', answer: answerAsOpenAi },
  { type: 'anthropic', answer: answerAsAnthropic },
  { type: 'ollama', answer: answerAsOllama },
] as const

async function openStack({ type, answer }: (typeof providers)[number]) {
  const stack = new AsyncDisposableStack()
  const upstream = stack.use(await openFakeUpstream(answer))
  const config: LlmProviderConfig = testProvider(type, upstream.url, { api_key: 'env:TEST_KEY' })
  const gateway = stack.use(openTestGateway([config]))
  const recording = makeRecording()
  const { url } = stack.use(await openAgentPort(gateway, recording))
  return {
    upstream,
    recording,
    openai: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'from-the-agent', maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: url, apiKey: 'from-the-agent', maxRetries: 0 }),
    ollama: new Ollama({ host: url }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

const user = [{ role: 'user' as const, content: 'Hi there' }]
const recorded = {
  alias: 'default',
  prompt: 'Hi there',
  response: 'Grüße, world',
  promptTokens: 11,
  completionTokens: 7,
  cost: 0.009,
  attempts: 1,
}

describe.each(providers)('with a provider of type $type', (provider) => {
  it('serves the openai client', async () => {
    await using stack = await openStack(provider)
    const request = { model: 'default', messages: user }

    const whole = await stack.openai.chat.completions.create(request)
    const streamed = await stack.openai.chat.completions.create({ ...request, stream: true })
    const pieces: string[] = []
    for await (const chunk of streamed) {
      expect(chunk.choices).toHaveLength(1)
      pieces.push(chunk.choices[0]?.delta.content ?? '')
    }

    expect(whole.choices[0]?.message.content).toBe('Grüße, world')
    expect(whole.usage?.total_tokens).toBe(18)
    expect(pieces.join('')).toBe('Grüße, world')
    expect(pieces.filter((piece) => piece !== '')).toHaveLength(2)
    expect(stack.recording.calls).toMatchObject([recorded, recorded])
  })

  it('counts tokens at the end of a stream for an openai client that asks', async () => {
    await using stack = await openStack(provider)

    const streamed = await stack.openai.chat.completions.create({
      model: 'default',
      messages: user,
      stream: true,
      stream_options: { include_usage: true },
    })
    const usages = []
    for await (const chunk of streamed) if (chunk.usage) usages.push(chunk.usage.total_tokens)

    expect(usages).toEqual([18])
  })

  it('passes tools through for the openai client', async () => {
    await using stack = await openStack(provider)
    const request = {
      model: 'default',
      messages: user,
      tools: [{ type: 'function' as const, function: weather }],
    }

    const whole = await stack.openai.chat.completions.create(request)
    const streamed = await stack.openai.chat.completions
      .stream({ ...request })
      .finalChatCompletion()

    for (const { choices } of [whole, streamed]) {
      expect(choices[0]?.finish_reason).toBe('tool_calls')
      expect(choices[0]?.message.tool_calls).toMatchObject([
        { type: 'function', function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } },
      ])
    }
    const [call] = whole.choices[0]?.message.tool_calls ?? []
    await stack.openai.chat.completions.create({
      model: 'default',
      messages: [
        ...user,
        { role: 'assistant', content: null, tool_calls: call === undefined ? [] : [call] },
        { role: 'tool', tool_call_id: call?.id ?? '', content: 'Sunny' },
      ],
    })
    expect(JSON.stringify(stack.upstream.asked.at(-1)?.body)).toContain('Sunny')
    expect(stack.recording.calls.at(-1)?.prompt).toBe('Sunny')
  })

  it('serves the anthropic client', async () => {
    await using stack = await openStack(provider)
    const request = { model: 'default', max_tokens: 100, messages: user }

    const whole = await stack.anthropic.messages.create(request)
    const streamed = await stack.anthropic.messages.stream(request).finalMessage()

    for (const message of [whole, streamed]) {
      expect(message.content).toMatchObject([{ type: 'text', text: 'Grüße, world' }])
      expect(message.stop_reason).toBe('end_turn')
      expect(message.usage.output_tokens).toBe(7)
    }
    expect(stack.recording.calls).toMatchObject([recorded, recorded])
  })

  it('passes tools through for the anthropic client', async () => {
    await using stack = await openStack(provider)
    const request = {
      model: 'default',
      max_tokens: 100,
      messages: user,
      tools: [{ name: 'get_weather', input_schema: parameters }],
    }

    const whole = await stack.anthropic.messages.create(request)
    const streamed = await stack.anthropic.messages.stream(request).finalMessage()

    for (const message of [whole, streamed]) {
      expect(message.stop_reason).toBe('tool_use')
      expect(message.content).toMatchObject([
        { type: 'tool_use', name: 'get_weather', input: { city: 'Oslo' } },
      ])
    }
  })

  it('serves the ollama client', async () => {
    await using stack = await openStack(provider)

    const chat = await stack.ollama.chat({ model: 'default', messages: user })
    const plain = await stack.ollama.generate({ model: 'default', prompt: 'Hi there' })
    const chatPieces: string[] = []
    for await (const part of await stack.ollama.chat({
      model: 'default',
      messages: user,
      stream: true,
    })) {
      chatPieces.push(part.message.content ?? '')
    }
    const plainPieces: string[] = []
    for await (const part of await stack.ollama.generate({
      model: 'default',
      prompt: 'Hi there',
      stream: true,
    })) {
      plainPieces.push(part.response ?? '')
    }

    expect(chat.message.content).toBe('Grüße, world')
    expect(chat.eval_count).toBe(7)
    expect(plain.response).toBe('Grüße, world')
    expect(chatPieces.join('')).toBe('Grüße, world')
    expect(plainPieces.join('')).toBe('Grüße, world')
    expect(stack.recording.calls).toMatchObject([recorded, recorded, recorded, recorded])
  })

  it('passes tools through for the ollama client', async () => {
    await using stack = await openStack(provider)
    const request = {
      model: 'default',
      messages: user,
      tools: [{ type: 'function', function: weather }],
    }

    const whole = await stack.ollama.chat(request)
    const calls = []
    for await (const part of await stack.ollama.chat({ ...request, stream: true })) {
      calls.push(...(part.message.tool_calls ?? []))
    }

    for (const found of [whole.message.tool_calls, calls]) {
      expect(found).toMatchObject([
        { function: { name: 'get_weather', arguments: { city: 'Oslo' } } },
      ])
    }
  })

  it("sends the node's key and the provider's model, and nothing of the agent's own key", async () => {
    await using stack = await openStack(provider)

    await stack.openai.chat.completions.create({ model: 'default', messages: user })
    await stack.anthropic.messages.create({ model: 'default', max_tokens: 9, messages: user })

    for (const asked of stack.upstream.asked) {
      const { authorization, 'x-api-key': key } = asked.headers
      expect([authorization, key]).toContain(
        provider.type === 'anthropic' ? testKey : `Bearer ${testKey}`,
      )
      expect(asked.body.model).toBe(`${provider.type}-model`)
      expect(JSON.stringify(asked.headers)).not.toContain('from-the-agent')
    }
  })

  it('keeps its connection to the provider from one streamed call to the next', async () => {
    await using stack = await openStack(provider)
    for (const prompt of ['one', 'two', 'three']) {
      const messages = [{ role: 'user' as const, content: prompt }]
      await stack.openai.chat.completions.stream({ model: 'default', messages }).finalContent()
    }
    expect(stack.upstream.connections()).toBe(1)
  })
})

it('serves models and embeddings to the clients, offline', async () => {
  await using gateway = openTestGateway([])
  await using port = await openAgentPort(gateway)
  const openai = new OpenAI({ baseURL: `${port.url}/v1`, apiKey: 'none', maxRetries: 0 })
  const anthropic = new Anthropic({ baseURL: port.url, apiKey: 'none', maxRetries: 0 })
  const ollama = new Ollama({ host: port.url })

  const openaiModels = await openai.models.list()
  const anthropicModels = await anthropic.models.list()
  const tags = await ollama.list()
  const shown = await ollama.show({ model: 'default' })
  const { data } = await openai.embeddings.create({
    model: 'default',
    input: ['red apple', 'a red apple', 'tax law'],
  })
  const embedded = await ollama.embed({ model: 'default', input: 'red apple' })
  const counted = await anthropic.messages.countTokens({ model: 'default', messages: user })

  const aliases = ['default', 'fast', 'smart', 'scripted']
  expect(openaiModels.data.map(({ id }) => id)).toEqual(aliases)
  expect(anthropicModels.data.map(({ id }) => id)).toEqual(aliases)
  expect(tags.models.map(({ name }) => name)).toEqual(aliases)
  expect(shown.model_info).toEqual({ 'general.context_length': 32_768 })
  expect(counted.input_tokens).toBe(5)
  const [red = [], aRed = [], tax = []] = data.map(({ embedding }) => embedding)
  const nearness = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, place) => sum + value * (b[place] ?? 0), 0)
  expect(nearness(red, aRed)).toBeGreaterThan(nearness(red, tax))
  expect(embedded.embeddings[0]?.[0]).toBeCloseTo(red[0] ?? 1, 5)
})
