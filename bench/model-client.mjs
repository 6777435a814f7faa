// An agent's side of a call, in a process of its own as in a sandbox. Reads one JSON line a call,
// `{baseUrl, stream, client}`, and answers each with the milliseconds it took.
import { createInterface } from 'node:readline'
import OpenAI from 'openai'

const clients = new Map()
const messages = [{ role: 'user', content: 'Hi' }]

for await (const line of createInterface({ input: process.stdin })) {
  const { baseUrl, stream, client } = JSON.parse(line)
  const start = performance.now()
  await (client === 'openai' ? withClient(baseUrl, stream) : withFetch(baseUrl, stream))
  console.log(performance.now() - start)
}

/** The official client, which parses every chunk. */
async function withClient(baseUrl, stream) {
  const openai = clients.get(baseUrl) ?? new OpenAI({ baseURL: baseUrl, apiKey: 'x' })
  clients.set(baseUrl, openai)
  const answer = await openai.chat.completions.create({ model: 'm', stream, messages })
  if (stream) for await (const _chunk of answer);
}

/** A client that only counts bytes. */
async function withFetch(baseUrl, stream) {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer x' },
    body: JSON.stringify({ model: 'm', stream, messages }),
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  await response.arrayBuffer()
}
