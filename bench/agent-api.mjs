// The agent API as a bootstrap script sees it, in a process of its own: it answers at once, and as
// the gateway does. Prints its port.
import { createServer } from 'node:http'

const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 }
const line = (data) => `data: ${JSON.stringify(data)}\n\n`
const answer = line({ delta: 'Hello' }) + line({ done: true, usage, provider: 'x', model: 'm' })

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.setHeader('content-type', 'text/event-stream; charset=utf-8')
    response.end(answer)
  })
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
