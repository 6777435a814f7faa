// The official client, as its documentation shows it: address and key come from the environment.
import { createRequire } from 'node:module'

const { Anthropic } = createRequire(process.env.PACKAGES)('@anthropic-ai/sdk')
const client = new Anthropic()
const asking = (content) => ({
  model: 'default',
  max_tokens: 100,
  messages: [{ role: 'user', content }],
})

const whole = await client.messages.create(asking('Say good morning'))

const pieces = []
const stream = client.messages.stream(asking('Say one two three'))
stream.on('text', (piece) => pieces.push(piece))
const final = await stream.finalMessage()

const tools = [{ name: 'get_weather', input_schema: { type: 'object', properties: {} } }]
const question = asking('What is the weather in Oslo?')
const wanting = await client.messages.create({ ...question, tools })
const use = wanting.content.find(({ type }) => type === 'tool_use')
const answered = await client.messages.create({
  ...question,
  tools,
  messages: [
    ...question.messages,
    { role: 'assistant', content: wanting.content },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'sunny' }] },
  ],
})

process.stdout.write(
  JSON.stringify({
    whole: whole.content[0].text,
    tokens: whole.usage.input_tokens + whole.usage.output_tokens,
    streamed: pieces.join(''),
    pieces: pieces.length,
    streamedTokens: final.usage.output_tokens,
    tool: { name: use.name, input: use.input, stop: wanting.stop_reason },
    withTool: answered.content[0].text,
  }),
)
