import type { AgentPolicy, LlmModelConfig } from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import { describe, expect, it } from 'vitest'
import { makeRecording, openAgentPort } from '../testing/open-agent-port.ts'
import { openFakeUpstream } from '../testing/open-fake-upstream.ts'
import { openTestGateway, testProvider } from '../testing/open-test-gateway.ts'

const because = 'The policy models.cedar:3 forbids smart.'

/** Permits every model but the one of the alias `smart`. */
const withoutSmart: AgentPolicy = {
  decide: (request) =>
    request.action === 'llm.generate' && request.model === 'smart'
      ? { allow: false, policies: ['models.cedar:3'], because }
      : { allow: true, policies: [], because: 'A test permits it.' },
}

const model = (alias: string, name: string): LlmModelConfig => ({
  alias,
  model: name,
  capabilities: [],
  context_window: 8192,
  cost_per_1k_tokens: 0,
})

const models = [model('fast', 'small-1'), model('smart', 'large-1')]

async function openScene() {
  const upstream = await openFakeUpstream((_asked, response) => {
    response.end('{"choices":[{"message":{"content":"ok"}}]}')
  })
  const gateway = openTestGateway([testProvider('openai', upstream.url, { models })])
  const recording = makeRecording()
  const port = await openAgentPort(gateway, recording, anIdentity({ policy: withoutSmart }))
  return {
    upstream,
    recording,
    url: port.url,
    async [Symbol.asyncDispose]() {
      await port[Symbol.asyncDispose]()
      await gateway[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

const ask = (url: string, body: unknown) =>
  fetch(url, { method: 'POST', body: JSON.stringify(body) })

const messages = [{ role: 'user', content: 'Hi' }]

describe('a model that the policy forbids', () => {
  it.each([
    'smart',
    'large-1',
    'openai/large-1',
    'openai/smart',
    'smart:latest',
  ])('is refused as %s, in words of the protocol, and nobody is asked', async (name) => {
    await using scene = await openScene()

    const response = await ask(`${scene.url}/v1/chat/completions`, { model: name, messages })

    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({
      error: { type: 'permission_error', code: 'llm.denied', message: because },
    })
    expect(scene.upstream.asked).toEqual([])
    expect(scene.recording.denials).toEqual([
      {
        action: 'llm.generate',
        subject: 'smart',
        reason: because,
        code: 'llm.denied',
        policies: ['models.cedar:3'],
      },
    ])
  })

  it.each([
    ['/v1/messages', { max_tokens: 9 }, { type: 'error', error: { type: 'permission_error' } }],
    ['/api/chat', {}, { error: because }],
  ])('is refused by %s in its own words', async (path, more, expected) => {
    await using scene = await openScene()

    const response = await ask(scene.url + path, { model: 'smart', messages, ...more })

    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject(expected)
  })

  it('gives no embeddings either', async () => {
    await using scene = await openScene()

    const response = await ask(`${scene.url}/v1/embeddings`, { model: 'smart', input: 'Hi' })

    expect(response.status).toBe(403)
    expect(scene.upstream.asked).toEqual([])
  })

  it('leaves the others as they are', async () => {
    await using scene = await openScene()

    const response = await ask(`${scene.url}/v1/chat/completions`, { model: 'fast', messages })

    expect(response.status).toBe(200)
    expect(scene.recording.denials).toEqual([])
  })
})
