import { z } from 'zod'
import type { ChatDelta, ChatMessage, ContentPart, StopReason, ToolChoice } from '../chat/chat.ts'
import type { Fault } from '../llm-fault.ts'
import type { AgentDialect, AnswerStream } from './agent-dialect.ts'
import { parseArguments } from './parse-arguments.ts'
import { parseBody } from './parse-body.ts'

const textSchema = z.union([z.string(), z.array(z.object({ text: z.string().default('') }))])

const blockSchema = z.union([
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('image'),
    source: z.union([
      z.object({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
      z.object({ type: z.literal('url'), url: z.string() }),
    ]),
  }),
  z.object({
    type: z.literal('tool_use'),
    id: z.string(),
    name: z.string(),
    input: z.unknown().optional(),
  }),
  z.object({
    type: z.literal('tool_result'),
    tool_use_id: z.string(),
    content: textSchema.nullish(),
  }),
  z.object({ type: z.string() }),
])
type Block = z.infer<typeof blockSchema>

const messageSchema = z.object({
  role: z.enum(['user', 'assistant']),
  content: z.union([z.string(), z.array(blockSchema)]),
})

const requestSchema = z.object({
  model: z.string().nullish(),
  max_tokens: z.int().min(1).nullish(),
  system: textSchema.nullish(),
  messages: z.array(messageSchema).min(1),
  tools: z
    .array(
      z.object({
        name: z.string(),
        description: z.string().optional(),
        input_schema: z.unknown().optional(),
      }),
    )
    .nullish(),
  tool_choice: z
    .object({ type: z.enum(['auto', 'any', 'tool', 'none']), name: z.string().optional() })
    .nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().min(0).max(1).nullish(),
  top_p: z.number().nullish(),
  stop_sequences: z.array(z.string()).nullish(),
})

/** Anthropic's `POST /v1/messages`. */
export const anthropicAgentDialect: AgentDialect = {
  parse(body) {
    const request = parseBody(requestSchema, body)
    const messages: ChatMessage[] = []
    if (request.system) messages.push({ role: 'system', text: plain(request.system) })
    for (const message of request.messages) messages.push(...parseMessage(message))
    return {
      model: request.model || undefined,
      messages: messages.map((message) => withToolName(message, messages)),
      tools: (request.tools ?? []).map(({ name, description, input_schema }) => ({
        name,
        description,
        parameters: input_schema ?? { type: 'object', properties: {} },
      })),
      toolChoice: parseToolChoice(request.tool_choice),
      stream: request.stream ?? false,
      temperature: request.temperature ?? undefined,
      topP: request.top_p ?? undefined,
      maxTokens: request.max_tokens ?? undefined,
      stop: request.stop_sequences ?? undefined,
    }
  },

  answer: (answer, { id, model }) => ({
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [
      ...(answer.text === '' ? [] : [{ type: 'text', text: answer.text }]),
      ...answer.toolCalls.map((call) => ({
        type: 'tool_use',
        id: call.id,
        name: call.name,
        input: parseArguments(call.arguments),
      })),
    ],
    stop_reason: stopReason(answer.stop),
    stop_sequence: null,
    usage: {
      input_tokens: answer.usage.promptTokens,
      output_tokens: answer.usage.completionTokens,
    },
  }),

  stream({ id, model, estimatedPromptTokens }) {
    const start = event('message_start', {
      message: {
        id: `msg_${id}`,
        type: 'message',
        role: 'assistant',
        model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: estimatedPromptTokens, output_tokens: 0 },
      },
    })
    return makeStream(start)
  },

  fault: anthropicFault,
}

function makeStream(start: string): AnswerStream {
  let begun = false
  let block = -1
  /** What the open block holds: a text, or the call of this index. */
  let open: 'text' | number | undefined

  const begin = () => {
    if (begun) return ''
    begun = true
    return start
  }
  const close = () => {
    if (open === undefined) return ''
    open = undefined
    return event('content_block_stop', { index: block })
  }
  const enter = (kind: 'text' | number, contents: unknown) => {
    if (open === kind) return ''
    const closed = close()
    open = kind
    block += 1
    return closed + event('content_block_start', { index: block, content_block: contents })
  }
  const add = (delta: unknown) => event('content_block_delta', { index: block, delta })

  function write(delta: ChatDelta): string {
    if (delta.type === 'text') {
      return (
        enter('text', { type: 'text', text: '' }) + add({ type: 'text_delta', text: delta.text })
      )
    }
    if (delta.type !== 'tool-call') return ''
    const { index, id, name, arguments: json } = delta
    const entered = enter(index, { type: 'tool_use', id: id ?? '', name: name ?? '', input: {} })
    return entered + (json === '' ? '' : add({ type: 'input_json_delta', partial_json: json }))
  }

  return {
    contentType: 'text/event-stream; charset=utf-8',
    write: (deltas) => begin() + deltas.map(write).join(''),
    end: ({ stop, usage }) =>
      begin() +
      close() +
      event('message_delta', {
        delta: { stop_reason: stopReason(stop), stop_sequence: null },
        usage: { input_tokens: usage.promptTokens, output_tokens: usage.completionTokens },
      }) +
      event('message_stop', {}),
    fault: (fault) => `event: error\ndata: ${JSON.stringify(anthropicFault(fault))}\n\n`,
  }
}

const event = (type: string, fields: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

export function anthropicFault({ status, code, message }: Fault): unknown {
  return { type: 'error', error: { type: faultType(status), message, code } }
}

function faultType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 403:
      return 'permission_error'
    case 404:
      return 'not_found_error'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limit_error'
    case 504:
      return 'timeout_error'
    case 503:
    case 529:
      return 'overloaded_error'
    default:
      return status < 500 ? 'invalid_request_error' : 'api_error'
  }
}

const plain = (text: z.infer<typeof textSchema>): string =>
  typeof text === 'string' ? text : text.map((part) => part.text).join('\n')

/** Results of tools are blocks of a user's message here, and messages of their own elsewhere. */
function parseMessage({ role, content }: z.infer<typeof messageSchema>): readonly ChatMessage[] {
  const blocks: readonly Block[] =
    typeof content === 'string' ? [{ type: 'text', text: content }] : content
  if (role === 'assistant') return [parseAssistant(blocks)]
  const messages: ChatMessage[] = []
  const parts: ContentPart[] = []
  for (const block of blocks) {
    if ('tool_use_id' in block) {
      const text = plain(block.content ?? '')
      messages.push({ role: 'tool', callId: block.tool_use_id, text })
    } else parts.push(parsePart(block))
  }
  return parts.length === 0 ? messages : [...messages, { role: 'user', parts }]
}

function parseAssistant(blocks: readonly Block[]): ChatMessage {
  return {
    role: 'assistant',
    text: blocks.flatMap((block) => ('text' in block ? [block.text] : [])).join('\n'),
    toolCalls: blocks.flatMap((block) =>
      'input' in block
        ? [{ id: block.id, name: block.name, arguments: JSON.stringify(block.input ?? {}) }]
        : [],
    ),
  }
}

function parsePart(block: Block): ContentPart {
  if ('text' in block) return { type: 'text', text: block.text }
  if (!('source' in block)) return { type: 'other', name: block.type }
  const { source } = block
  return source.type === 'url'
    ? { type: 'image-url', url: source.url }
    : { type: 'image', mediaType: source.media_type, base64: source.data }
}

function withToolName(message: ChatMessage, all: readonly ChatMessage[]): ChatMessage {
  if (message.role !== 'tool') return message
  const calls = all.flatMap((one) => (one.role === 'assistant' ? one.toolCalls : []))
  return { ...message, name: calls.find(({ id }) => id === message.callId)?.name }
}

function parseToolChoice(
  choice: z.infer<typeof requestSchema>['tool_choice'],
): ToolChoice | undefined {
  switch (choice?.type) {
    case 'any':
      return 'required'
    case 'tool':
      return { name: choice.name ?? '' }
    default:
      return choice?.type
  }
}

function stopReason(stop: StopReason): string {
  switch (stop) {
    case 'stop':
      return 'end_turn'
    case 'length':
      return 'max_tokens'
    case 'tool-calls':
      return 'tool_use'
    case 'filter':
      return 'refusal'
  }
}
