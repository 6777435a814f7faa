// The official client, as its documentation shows it: address and key come from the environment.
import { createRequire } from 'node:module'

const { OpenAI } = createRequire(process.env.PACKAGES)('openai')
const client = new OpenAI()
const model = 'default'
const asking = (content) => ({ model, messages: [{ role: 'user', content }] })

const whole = await client.chat.completions.create(asking('Say good morning'))

const pieces = []
let streamedTokens
const stream = await client.chat.completions.create({
  ...asking('Say one two three'),
  stream: true,
  stream_options: { include_usage: true },
})
for await (const { choices, usage } of stream) {
  pieces.push(choices[0]?.delta.content ?? '')
  streamedTokens = usage?.completion_tokens ?? streamedTokens
}

const runner = client.chat.completions.runTools({
  ...asking('What is the weather in Oslo?'),
  tools: [
    {
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'The weather of a city',
        parameters: { type: 'object', properties: { city: { type: 'string' } } },
        parse: JSON.parse,
        function: ({ city }) => (city === 'Oslo' ? 'sunny' : 'unknown'),
      },
    },
  ],
})
const withTool = await runner.finalContent()

const models = []
for await (const { id } of client.models.list()) models.push(id)
const { data } = await client.embeddings.create({ model, input: ['a', 'b'] })

process.stdout.write(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    tokens: whole.usage.total_tokens,
    streamed: pieces.join(''),
    pieces: pieces.filter((piece) => piece !== '').length,
    streamedTokens,
    withTool,
    models,
    embeddings: data.length,
  }),
)
