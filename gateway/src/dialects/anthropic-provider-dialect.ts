import { z } from 'zod'
import type { ChatMessage, ChatRequest, ContentPart, StopReason } from '../chat/chat.ts'
import { llmFault, reportedFault } from '../llm-fault.ts'
import { parseArguments } from './parse-arguments.ts'
import type { FrameReader, ProviderDialect } from './provider-dialect.ts'
import { readJson, readReply } from './read-json.ts'

const version = '2023-06-01'
/** Anthropic's API wants a bound of each answer; the agent's own holds where it names one. */
const defaultMaxTokens = 4096

const usageSchema = z.object({
  input_tokens: z.number().nullish(),
  cache_creation_input_tokens: z.number().nullish(),
  cache_read_input_tokens: z.number().nullish(),
  output_tokens: z.number().nullish(),
})

const blockSchema = z.object({
  type: z.string(),
  text: z.string().nullish(),
  id: z.string().nullish(),
  name: z.string().nullish(),
  input: z.unknown().optional(),
})

const answerSchema = z.object({
  content: z.array(blockSchema),
  stop_reason: z.string().nullish(),
  usage: usageSchema.nullish(),
})

const eventSchema = z.object({
  type: z.string(),
  index: z.int().optional(),
  message: z.object({ usage: usageSchema.nullish() }).nullish(),
  content_block: blockSchema.nullish(),
  delta: z
    .object({
      type: z.string().nullish(),
      text: z.string().nullish(),
      partial_json: z.string().nullish(),
      stop_reason: z.string().nullish(),
    })
    .nullish(),
  usage: usageSchema.nullish(),
  error: z.object({ type: z.string().nullish(), message: z.string().nullish() }).nullish(),
})

/** Anthropic's messages. */
export const anthropicProviderDialect: ProviderDialect = {
  name: 'anthropic',
  framing: 'sse',
  headers: (key) => ({
    'anthropic-version': version,
    ...(key === undefined ? {} : { 'x-api-key': key.reveal() }),
  }),

  chatRequest({ model, request, original }) {
    const path = '/v1/messages'
    if (original?.dialect === 'anthropic') {
      const { temperature } = request
      const warmth = temperature === undefined ? {} : { temperature }
      return { path, body: { ...original.body, ...warmth, model } }
    }
    return { path, body: { ...writeRequest(request), model } }
  },

  readAnswer(body) {
    const { content, stop_reason, usage } = readReply(answerSchema, body)
    return {
      text: content.flatMap((block) => (block.type === 'text' ? [block.text ?? ''] : [])).join(''),
      toolCalls: content.flatMap((block) =>
        block.type === 'tool_use'
          ? [
              {
                id: block.id ?? '',
                name: block.name ?? '',
                arguments: JSON.stringify(block.input ?? {}),
              },
            ]
          : [],
      ),
      stop: stopReason(stop_reason),
      usage: usage
        ? {
            promptTokens: promptTokens(usage) ?? 0,
            completionTokens: usage.output_tokens ?? 0,
          }
        : undefined,
    }
  },

  makeFrameReader,
}

function makeFrameReader(): FrameReader {
  /** Blocks of all types are numbered together; tool calls are counted by themselves. */
  const toolCallOf = new Map<number, number>()
  return {
    read(data, deltas) {
      const event = readReply(eventSchema, readJson(data))
      const block = event.index ?? 0
      switch (event.type) {
        case 'message_start':
          deltas.push({ type: 'usage', promptTokens: promptTokens(event.message?.usage) })
          return 'more'
        case 'content_block_start':
          if (event.content_block?.type === 'tool_use') {
            const index = toolCallOf.size
            toolCallOf.set(block, index)
            const { id, name } = event.content_block
            deltas.push({
              type: 'tool-call',
              index,
              id: id ?? undefined,
              name: name ?? undefined,
              arguments: '',
            })
          } else if (event.content_block?.type === 'text' && event.content_block.text) {
            deltas.push({ type: 'text', text: event.content_block.text })
          }
          return 'more'
        case 'content_block_delta': {
          const index = toolCallOf.get(block)
          if (event.delta?.type === 'text_delta') {
            deltas.push({ type: 'text', text: event.delta.text ?? '' })
          } else if (event.delta?.type === 'input_json_delta' && index !== undefined) {
            deltas.push({ type: 'tool-call', index, arguments: event.delta.partial_json ?? '' })
          }
          return 'more'
        }
        case 'message_delta':
          deltas.push({
            type: 'usage',
            promptTokens: promptTokens(event.usage),
            completionTokens: event.usage?.output_tokens ?? undefined,
          })
          if (!event.delta?.stop_reason) return 'more'
          deltas.push({ type: 'stop', reason: stopReason(event.delta.stop_reason) })
          return 'stop'
        case 'message_stop':
          return 'end'
        case 'error':
          throw reportedFault(event.error?.message, event.error?.type ?? undefined)
        default:
          return 'more'
      }
    },
  }
}

/** What was read from a cache is part of the prompt, too. */
function promptTokens(usage: z.infer<typeof usageSchema> | null | undefined): number | undefined {
  if (usage?.input_tokens === undefined || usage.input_tokens === null) return undefined
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage
  return input_tokens + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0)
}

function stopReason(reason: string | null | undefined): StopReason {
  switch (reason) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return 'length'
    case 'tool_use':
      return 'tool-calls'
    case 'refusal':
      return 'filter'
    default:
      return 'stop'
  }
}

function writeRequest(request: ChatRequest): Readonly<Record<string, unknown>> {
  const { tools, toolChoice, temperature, topP, maxTokens, stop, stream } = request
  if (request.format !== undefined) {
    throw llmFault(
      'unsupported',
      'llm.unsupported',
      'This model cannot be held to a JSON format: its provider speaks the Anthropic protocol. ' +
        'Ask for JSON in the prompt, give it a tool, or name a model of another provider.',
    )
  }
  const system = request.messages.flatMap((one) => (one.role === 'system' ? [one.text] : []))
  return {
    max_tokens: maxTokens ?? defaultMaxTokens,
    ...(system.length === 0 ? {} : { system: system.join('\n\n') }),
    messages: writeMessages(request.messages),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({
            name,
            ...(description === undefined ? {} : { description }),
            input_schema: parameters,
          })),
        }),
    ...(toolChoice === undefined || tools.length === 0
      ? {}
      : { tool_choice: writeToolChoice(toolChoice) }),
    // The other protocols allow up to 2.
    ...(temperature === undefined ? {} : { temperature: Math.min(1, temperature) }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(stop === undefined ? {} : { stop_sequences: stop }),
    stream,
  }
}

function writeToolChoice(choice: NonNullable<ChatRequest['toolChoice']>): unknown {
  if (typeof choice !== 'string') return { type: 'tool', name: choice.name }
  return { type: choice === 'required' ? 'any' : choice }
}

type Role = 'user' | 'assistant'

/** Neighbours of one role become one message: results of tools are a user's blocks here. */
function writeMessages(messages: readonly ChatMessage[]): unknown {
  const written: { role: Role; content: unknown[] }[] = []
  for (const message of messages) {
    if (message.role === 'system') continue
    const role: Role = message.role === 'assistant' ? 'assistant' : 'user'
    const blocks = writeBlocks(message)
    const last = written.at(-1)
    if (last?.role === role) last.content.push(...blocks)
    else if (blocks.length > 0) written.push({ role, content: [...blocks] })
  }
  return written
}

function writeBlocks(message: Exclude<ChatMessage, { role: 'system' }>): readonly unknown[] {
  switch (message.role) {
    case 'user':
      return message.parts.map(writePart)
    case 'assistant':
      return [
        ...(message.text === '' ? [] : [{ type: 'text', text: message.text }]),
        ...message.toolCalls.map(({ id, name, arguments: json }) => ({
          type: 'tool_use',
          id,
          name,
          input: parseArguments(json),
        })),
      ]
    case 'tool':
      return [{ type: 'tool_result', tool_use_id: message.callId, content: message.text }]
  }
}

function writePart(part: ContentPart): unknown {
  switch (part.type) {
    case 'other':
      throw new Error('Only the dialect it came in has words for this part')
    case 'text':
      return part
    case 'image':
      return {
        type: 'image',
        source: { type: 'base64', media_type: part.mediaType, data: part.base64 },
      }
    case 'image-url':
      return { type: 'image', source: { type: 'url', url: part.url } }
  }
}
