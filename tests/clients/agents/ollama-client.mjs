// The official client; other than the `ollama` command it does not read OLLAMA_HOST by itself.
import { createRequire } from 'node:module'

const { Ollama } = createRequire(process.env.PACKAGES)('ollama')
const client = new Ollama({ host: process.env.OLLAMA_HOST })
const asking = (content) => ({ model: 'default', messages: [{ role: 'user', content }] })

const whole = await client.chat(asking('Say good morning'))

const pieces = []
let streamedTokens
for await (const part of await client.chat({ ...asking('Say one two three'), stream: true })) {
  pieces.push(part.message.content)
  streamedTokens = part.eval_count ?? streamedTokens
}

const generated = await client.generate({ model: 'default', prompt: 'Say bye' })
const { models } = await client.list()
const { embeddings } = await client.embed({ model: 'default', input: ['a', 'b'] })

process.stdout.write(
  JSON.stringify({
    whole: whole.message.content,
    tokens: whole.prompt_eval_count + whole.eval_count,
    streamed: pieces.join(''),
    pieces: pieces.filter((piece) => piece !== '').length,
    streamedTokens,
    generated: generated.response,
    models: models.map(({ name }) => name),
    embeddings: embeddings.length,
  }),
)
