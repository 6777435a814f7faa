import { anIdentity } from '@aegis/core/testing'
import { expect, it } from 'vitest'
import { aSecret } from '../inspect/testing/a-secret.ts'
import { makeRecording, openAgentPort } from '../testing/open-agent-port.ts'
import { openFakeUpstream } from '../testing/open-fake-upstream.ts'
import { openTestGateway, testProvider } from '../testing/open-test-gateway.ts'

const secret = aSecret({ name: 'github' })

it.each([
  ['/api/llm/generate', { prompt: `My key is ${secret.placeholder}.` }],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: escaped(secret.placeholder) }] }],
  [
    '/v1/messages',
    { max_tokens: 9, messages: [{ role: 'user', content: base64(secret.placeholder) }] },
  ],
  ['/v1/embeddings', { input: [secret.placeholder] }],
])('a placeholder in a prompt to %s goes to no model, and that is recorded', async (path, body) => {
  await using upstream = await openFakeUpstream((_asked, response) => void response.end('{}'))
  await using gateway = openTestGateway([testProvider('openai-compatible', upstream.url)])
  const recording = makeRecording()
  await using port = await openAgentPort(gateway, recording, anIdentity({ secrets: [secret] }))

  // What was escaped once is not to be escaped again.
  const text = JSON.stringify(body).replaceAll('\\\\u', '\\u')
  const response = await fetch(port.url + path, { method: 'POST', body: text })

  expect(response.status).toBe(403)
  expect(await response.text()).toContain('github')
  await expect
    .poll(() => recording.denials)
    .toMatchObject([{ action: 'secret.use', subject: 'github -> model', code: 'secret.leaked' }])
  expect(upstream.asked).toEqual([])
})

function escaped(text: string): string {
  return text.replace(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)
}

function base64(text: string): string {
  return Buffer.from(`a${text}`).toString('base64')
}
