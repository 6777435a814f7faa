import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClientNode, openClientNode, whyNoClients, whyNoPython } from './client-node.ts'

const reason = await whyNoClients()
const noPython = await whyNoPython()

let node: ClientNode
beforeAll(async () => {
  if (reason === undefined) node = await openClientNode()
})
afterAll(() => node?.[Symbol.asyncDispose]())

/** What the node notes of a call, whatever the client. */
const call = (prompt: string, response: string) => ({
  provider: 'script',
  model: 'default-1',
  alias: 'default',
  prompt,
  response,
  attempts: 1,
})

describe.skipIf(reason !== undefined)(`in a sandbox${reason ? ` (${reason})` : ''}`, () => {
  it('the openai client talks, streams and uses tools', async () => {
    const { output, calls } = await node.run({
      file: 'openai-client.mjs',
      command: ['node', '/workspace/openai-client.mjs'],
    })
    expect(calls).toMatchObject([
      call('Say good morning', 'good morning'),
      call('Say one two three', 'one two three'),
      call('What is the weather in Oslo?', expect.stringContaining('get_weather')),
      call('sunny', 'It is sunny in Oslo.'),
      call('a\nb', ''),
    ])
    const [first, second] = calls
    expect(JSON.parse(output)).toEqual({
      whole: 'good morning',
      tokens: (first?.promptTokens ?? 0) + (first?.completionTokens ?? 0),
      streamed: 'one two three',
      pieces: 3,
      streamedTokens: second?.completionTokens,
      withTool: 'It is sunny in Oslo.',
      models: expect.arrayContaining(['default', 'default-1']),
      embeddings: 2,
    })
  })

  it('the anthropic client talks, streams and uses tools', async () => {
    const { output, calls } = await node.run({
      file: 'anthropic-client.mjs',
      command: ['node', '/workspace/anthropic-client.mjs'],
    })
    expect(calls).toMatchObject([
      call('Say good morning', 'good morning'),
      call('Say one two three', 'one two three'),
      call('What is the weather in Oslo?', expect.stringContaining('get_weather')),
      call('sunny', 'It is sunny in Oslo.'),
    ])
    const [first, second] = calls
    expect(JSON.parse(output)).toEqual({
      whole: 'good morning',
      tokens: (first?.promptTokens ?? 0) + (first?.completionTokens ?? 0),
      streamed: 'one two three',
      pieces: 3,
      streamedTokens: second?.completionTokens,
      tool: { name: 'get_weather', input: { city: 'Oslo' }, stop: 'tool_use' },
      withTool: 'It is sunny in Oslo.',
    })
  })

  it('the ollama client talks, streams and generates', async () => {
    const { output, calls } = await node.run({
      file: 'ollama-client.mjs',
      command: ['node', '/workspace/ollama-client.mjs'],
    })
    expect(calls).toMatchObject([
      call('Say good morning', 'good morning'),
      call('Say one two three', 'one two three'),
      call('Say bye', 'bye'),
      call('a\nb', ''),
    ])
    const [first, second] = calls
    expect(JSON.parse(output)).toEqual({
      whole: 'good morning',
      tokens: (first?.promptTokens ?? 0) + (first?.completionTokens ?? 0),
      streamed: 'one two three',
      pieces: 3,
      streamedTokens: second?.completionTokens,
      generated: 'bye',
      models: expect.arrayContaining(['default']),
      embeddings: 2,
    })
  })

  it.skipIf(noPython !== undefined)("Python's urllib talks and streams", async () => {
    const { output, calls } = await node.run(
      {
        file: 'urllib_client.py',
        command: ['/usr/bin/python3', '/workspace/urllib_client.py'],
      },
      'the prompt',
    )
    expect(calls.slice(0, 3)).toMatchObject([
      call('Say good morning', 'good morning'),
      call('Say one two three', 'one two three'),
      call('Say bye', 'bye'),
    ])
    const [first] = calls
    expect(JSON.parse(output)).toEqual({
      whole: 'good morning',
      tokens: (first?.promptTokens ?? 0) + (first?.completionTokens ?? 0),
      streamed: 'one two three',
      generated: 'bye',
      refused: 404,
      prompt: 'the prompt',
    })
  })

  it('no key is to be found, and nothing is reached but the agent API', async () => {
    const { output, events } = await node.run({
      file: 'nosy.mjs',
      command: ['node', '/workspace/nosy.mjs'],
    })
    for (const secret of node.secrets) {
      expect(output).not.toContain(secret)
      expect(JSON.stringify(events)).not.toContain(secret)
    }
    const { env, reached, interfaces, name } = JSON.parse(output)
    const named = Object.keys(env).filter((key) => /key|token|secret/i.test(key))
    expect(named.toSorted()).toEqual(['ANTHROPIC_API_KEY', 'OPENAI_API_KEY'])
    expect(env.OPENAI_API_KEY).toBe('provided-by-aegis')
    expect(env.ANTHROPIC_API_KEY).toBe('provided-by-aegis')
    expect(interfaces).toEqual(['lo'])
    expect(name).toBe('ENOTFOUND')
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'execution.denied',
        action: 'dns.resolve',
        subject: 'api.openai.com',
      }),
    )
    // Every address of the world is the sandbox itself, where nobody answers, and it is told.
    for (const subject of ['1.1.1.1:443', '8.8.8.8:53', '169.254.169.254:80', '10.0.0.1:80']) {
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'execution.denied', action: 'network.connect', subject }),
      )
    }
    expect(reached).toEqual({
      '1.1.1.1 443': 'ECONNREFUSED',
      '8.8.8.8 53': 'ECONNREFUSED',
      '169.254.169.254 80': 'ECONNREFUSED',
      '10.0.0.1 80': 'ECONNREFUSED',
      '127.0.0.1 22': 'ECONNREFUSED',
      '127.0.0.1 9': 'ECONNREFUSED',
      '::1 8000': 'ECONNREFUSED',
      '127.0.0.1 8000': 'connected',
    })
  })
})
