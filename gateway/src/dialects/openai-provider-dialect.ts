import { z } from 'zod'
import {
  type ChatDelta,
  type ChatMessage,
  type ChatRequest,
  type ContentPart,
  type StopReason,
  type ToolCall,
  textOf,
} from '../chat/chat.ts'
import { reportedFault } from '../llm-fault.ts'
import type { ProviderChat } from '../providers/provider.ts'
import type { FrameReader, ProviderDialect } from './provider-dialect.ts'
import { readJson, readReply } from './read-json.ts'

const callSchema = z.object({
  index: z.int().optional(),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).nullish(),
})

const usageSchema = z.object({
  prompt_tokens: z.number().nullish(),
  completion_tokens: z.number().nullish(),
})

const answerSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z.array(callSchema).nullish(),
        }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: usageSchema.nullish(),
})

const chunkSchema = z.object({
  choices: z
    .array(
      z.object({
        index: z.int().nullish(),
        delta: z
          .object({ content: z.string().nullish(), tool_calls: z.array(callSchema).nullish() })
          .nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .nullish(),
  usage: usageSchema.nullish(),
})

const embeddingSchema = z.object({
  data: z.array(z.object({ index: z.int().optional(), embedding: z.array(z.number()) })),
  usage: z.object({ prompt_tokens: z.number().nullish() }).nullish(),
})

/**
 * OpenAI's chat completions and embeddings, as many servers speak them. `lengthField`: OpenAI's own
 * models want `max_completion_tokens`, most other servers know `max_tokens` alone.
 */
export const makeOpenAiProviderDialect = (
  lengthField: 'max_completion_tokens' | 'max_tokens',
): ProviderDialect => ({
  name: 'openai',
  framing: 'sse',
  headers: (key) => (key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }),

  chatRequest({ model, request, original }) {
    const path = '/chat/completions'
    const usage = request.stream ? { stream_options: { include_usage: true } } : {}
    if (original?.dialect === 'openai') {
      const { temperature } = request
      const warmth = temperature === undefined ? {} : { temperature }
      return { path, body: { ...original.body, ...warmth, ...usage, model } }
    }
    return { path, body: { ...writeRequest(request, lengthField), ...usage, model } }
  },

  readAnswer(body) {
    const { choices, usage } = readReply(answerSchema, body)
    const { message, finish_reason } = choices[0] ?? { message: {} }
    return {
      text: message.content ?? '',
      toolCalls: (message.tool_calls ?? []).map((call) => ({
        id: call.id ?? '',
        name: call.function?.name ?? '',
        arguments: call.function?.arguments || '{}',
      })),
      stop: stopReason(finish_reason),
      usage: usage
        ? {
            promptTokens: usage.prompt_tokens ?? 0,
            completionTokens: usage.completion_tokens ?? 0,
          }
        : undefined,
    }
  },

  makeFrameReader,

  embedding: {
    request: ({ model, inputs, dimensions }) => ({
      path: '/embeddings',
      body: {
        model,
        input: inputs,
        encoding_format: 'float',
        ...(dimensions === undefined ? {} : { dimensions }),
      },
    }),
    read(body) {
      const { data, usage } = readReply(embeddingSchema, body)
      const sorted = data.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0))
      return {
        vectors: sorted.map(({ embedding }) => embedding),
        promptTokens: usage?.prompt_tokens ?? undefined,
      }
    },
  },
})

function makeFrameReader({ original }: ProviderChat): FrameReader {
  const wantsUsage = asksForUsage(original?.body)
  let unfinished = typeof original?.body.n === 'number' ? original.body.n : 1
  return {
    terminator: 'data: [DONE]\n\n',
    read(data, deltas) {
      if (data === '[DONE]') return 'end'
      if (unfinished > 0 && addPlainText(data, deltas)) return 'more'
      const frame = readJson(data)
      if (frame.error !== undefined && frame.error !== null)
        throw reportedFault(errorMessage(frame.error))
      const { choices, usage } = readReply(chunkSchema, frame)
      for (const choice of choices ?? []) {
        // Further choices (`n`) pass through; the record is of the first.
        if ((choice.index ?? 0) === 0) addChoice(choice.delta, deltas)
        if (choice.finish_reason) {
          unfinished -= 1
          if ((choice.index ?? 0) === 0) {
            deltas.push({ type: 'stop', reason: stopReason(choice.finish_reason) })
          }
        }
      }
      if (usage) {
        deltas.push({
          type: 'usage',
          promptTokens: usage.prompt_tokens ?? undefined,
          completionTokens: usage.completion_tokens ?? undefined,
        })
        if (choices?.length === 0 && !wantsUsage) return 'hidden'
      }
      return unfinished <= 0 ? 'stop' : 'more'
    },
  }
}

/** A frame that is one piece of text and nothing else, in the form that most servers write. */
const plainText =
  /^\{(?:"(?:id|object|model|system_fingerprint|service_tier|obfuscation)":(?:"[^"\\]*"|null),|"created":\d+,)*"choices":\[\{"index":0,"delta":\{"content":("(?:[^"\\]|\\.)*")\}(?:,"logprobs":null)?(?:,"finish_reason":null)?\}\](?:,"usage":null)?(?:,"obfuscation":"[^"\\]*")?\}$/

/**
 * Nearly all frames of an answer are such; parsing them whole would cost more than all else that is
 * done for them. Tells whether `data` was one.
 */
function addPlainText(data: string, deltas: ChatDelta[]): boolean {
  const literal = plainText.exec(data)?.[1]
  if (literal === undefined) return false
  try {
    const text: unknown = JSON.parse(literal)
    if (typeof text !== 'string') return false
    deltas.push({ type: 'text', text })
    return true
  } catch {
    return false
  }
}

type Delta = NonNullable<z.infer<typeof chunkSchema>['choices']>[number]['delta']

function addChoice(delta: Delta, deltas: ChatDelta[]): void {
  if (delta?.content) deltas.push({ type: 'text', text: delta.content })
  for (const [place, call] of (delta?.tool_calls ?? []).entries()) {
    deltas.push({
      type: 'tool-call',
      index: call.index ?? place,
      id: call.id ?? undefined,
      name: call.function?.name ?? undefined,
      arguments: call.function?.arguments ?? '',
    })
  }
}

function asksForUsage(body: Readonly<Record<string, unknown>> | undefined): boolean {
  const options = body?.stream_options
  return (
    typeof options === 'object' &&
    options !== null &&
    'include_usage' in options &&
    options.include_usage === true
  )
}

const errorMessage = (error: unknown): unknown =>
  typeof error === 'object' && error !== null && 'message' in error ? error.message : error

function stopReason(reason: string | null | undefined): StopReason {
  switch (reason) {
    case 'length':
      return 'length'
    case 'tool_calls':
    case 'function_call':
      return 'tool-calls'
    case 'content_filter':
      return 'filter'
    default:
      return 'stop'
  }
}

function writeRequest(
  request: ChatRequest,
  lengthField: string,
): Readonly<Record<string, unknown>> {
  const { tools, toolChoice, temperature, topP, maxTokens, stop, format, stream } = request
  return {
    messages: request.messages.map(writeMessage),
    ...(tools.length === 0
      ? {}
      : { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
    ...(toolChoice === undefined || tools.length === 0
      ? {}
      : {
          tool_choice:
            typeof toolChoice === 'string'
              ? toolChoice
              : { type: 'function', function: { name: toolChoice.name } },
        }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(topP === undefined ? {} : { top_p: topP }),
    ...(maxTokens === undefined ? {} : { [lengthField]: maxTokens }),
    ...(stop === undefined ? {} : { stop }),
    ...(format === undefined ? {} : { response_format: writeFormat(format) }),
    stream,
  }
}

const writeFormat = (format: NonNullable<ChatRequest['format']>) =>
  format === 'json'
    ? { type: 'json_object' }
    : { type: 'json_schema', json_schema: { name: 'answer', schema: format.schema } }

function writeMessage(message: ChatMessage): unknown {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text }
    case 'user':
      return {
        role: 'user',
        content: message.parts.every(({ type }) => type === 'text')
          ? textOf(message)
          : message.parts.map(writePart),
      }
    case 'assistant':
      return {
        role: 'assistant',
        content: message.text || null,
        ...(message.toolCalls.length === 0 ? {} : { tool_calls: message.toolCalls.map(writeCall) }),
      }
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.text }
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
        type: 'image_url',
        image_url: { url: `data:${part.mediaType};base64,${part.base64}` },
      }
    case 'image-url':
      return { type: 'image_url', image_url: { url: part.url } }
  }
}

export const writeCall = (call: ToolCall) => ({
  id: call.id,
  type: 'function',
  function: { name: call.name, arguments: call.arguments },
})
