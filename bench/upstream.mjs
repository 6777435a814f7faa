// A model provider that answers at once, in a process of its own: OpenAI's protocol, streaming and
// not. Prints its port.
import { createServer } from 'node:http'

// Many, so that throughput is measured and not the latency of a call once more.
const chunks = 10_000
const usage = { prompt_tokens: 5, completion_tokens: chunks, total_tokens: chunks + 5 }
const delta = (choice) =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', ...choice })}\n\n`
const word = delta({ choices: [{ index: 0, delta: { content: 'word ' }, finish_reason: null }] })
const last = delta({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage })
const answer = JSON.stringify({
  id: 'x',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
})

const server = createServer(async (request, response) => {
  let body = ''
  for await (const chunk of request) body += chunk
  if (!JSON.parse(body).stream) {
    response.setHeader('content-type', 'application/json')
    response.end(answer)
    return
  }
  response.setHeader('content-type', 'text/event-stream')
  for (let n = 0; n < chunks; n++) {
    if (!response.write(word)) await new Promise((resolve) => response.once('drain', resolve))
    // A model sends words one by one; a turn of the loop keeps them apart.
    if (n % 8 === 7) await new Promise((resolve) => setImmediate(resolve))
  }
  response.end(`${last}data: [DONE]\n\n`)
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
