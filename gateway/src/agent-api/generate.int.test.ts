import { duplexPair } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { makeRecording, openAgentPort, testIdentity } from '../testing/open-agent-port.ts'
import { openTestGateway } from '../testing/open-test-gateway.ts'

const generate = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/llm/generate`, { method: 'POST', body: JSON.stringify(body), headers })

it('answers offline when no provider is configured, and says so', async () => {
  await using gateway = openTestGateway([])
  const recording = makeRecording()
  await using port = await openAgentPort(gateway, recording)

  expect(gateway.scripted).toBe(true)
  const response = await generate(port.url, {
    prompt: 'You echo what you are given.\n\nInput: Hello Daemon',
    execution_id: null,
    iteration_number: null,
    model: 'default',
  })

  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    content: 'Hello Daemon',
    usage: { prompt_tokens: 16, completion_tokens: 3, total_tokens: 19 },
    provider: 'scripted',
    model: 'scripted',
  })
  expect(recording.calls).toMatchObject([
    { alias: 'default', response: 'Hello Daemon', attempts: 1, cost: 0 },
  ])
})

it('streams deltas and ends with the usage, after the call is recorded', async () => {
  await using gateway = openTestGateway([])
  const recording = makeRecording()
  await using port = await openAgentPort(gateway, recording)

  const response = await generate(
    port.url,
    { prompt: 'Echo: one two three' },
    { accept: 'text/event-stream' },
  )
  const lines = (await response.text()).trim().split('\n\n')
  const events = lines.map((line) => JSON.parse(line.replace(/^data: /, '')))

  expect(
    events
      .slice(0, -1)
      .map((event) => event.delta)
      .join(''),
  ).toBe('one two three')
  expect(events.at(-1)).toMatchObject({ done: true, provider: 'scripted', model: 'scripted' })
  expect(recording.calls).toHaveLength(1)
})

it('serves any duplex stream, not only sockets', async () => {
  await using gateway = openTestGateway([])
  const [inside, outside] = duplexPair()
  using door = gateway.admit(testIdentity, makeRecording())
  door.connect({ kind: 'agent-api' }, outside)

  inside.write('GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')

  expect(await text(inside)).toContain('{"status":"healthy"}')
})
