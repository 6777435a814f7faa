import { z } from 'zod'
import type { ChatDelta, ChatMessage, ChatRequest, StopReason, ToolCall } from '../chat/chat.ts'
import { textOf } from '../chat/chat.ts'
import { llmFault, reportedFault } from '../llm-fault.ts'
import { parseArguments } from './parse-arguments.ts'
import type { FrameReader, ProviderDialect } from './provider-dialect.ts'
import { readJson, readReply } from './read-json.ts'

const partSchema = z.object({
  /** From `/api/chat`. */
  message: z
    .object({
      content: z.string().nullish(),
      tool_calls: z
        .array(
          z.object({
            id: z.string().nullish(),
            function: z.object({ name: z.string(), arguments: z.unknown().optional() }),
          }),
        )
        .nullish(),
    })
    .nullish(),
  /** From `/api/generate`. */
  response: z.string().nullish(),
  done: z.boolean(),
  done_reason: z.string().nullish(),
  prompt_eval_count: z.number().nullish(),
  eval_count: z.number().nullish(),
})
type Part = z.infer<typeof partSchema>

const embeddingSchema = z.object({
  embeddings: z.array(z.array(z.number())),
  prompt_eval_count: z.number().nullish(),
})

/** Ollama's own API. */
export const ollamaProviderDialect: ProviderDialect = {
  name: 'ollama',
  framing: 'lines',
  headers: (key) => (key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }),

  chatRequest({ model, request, original }) {
    if (original?.dialect === 'ollama') {
      const { body, operation } = original
      const { temperature } = request
      const given = typeof body.options === 'object' && body.options !== null ? body.options : {}
      const options = temperature === undefined ? given : { ...given, temperature }
      return { path: `/api/${operation}`, body: { ...body, options, model } }
    }
    return { path: '/api/chat', body: { ...writeRequest(request), model } }
  },

  readAnswer(body) {
    const part = readReply(partSchema, body)
    const toolCalls = toolCallsOf(part)
    return {
      text: part.message?.content ?? part.response ?? '',
      toolCalls,
      stop: stopReason(part, toolCalls.length > 0),
      usage:
        part.eval_count === undefined || part.eval_count === null
          ? undefined
          : { promptTokens: part.prompt_eval_count ?? 0, completionTokens: part.eval_count },
    }
  },

  makeFrameReader,

  embedding: {
    request: ({ model, inputs, dimensions }) => ({
      path: '/api/embed',
      body: { model, input: inputs, ...(dimensions === undefined ? {} : { dimensions }) },
    }),
    read(body) {
      const { embeddings, prompt_eval_count } = readReply(embeddingSchema, body)
      return { vectors: embeddings, promptTokens: prompt_eval_count ?? undefined }
    },
  },
}

function makeFrameReader(): FrameReader {
  let calls = 0
  return {
    read(data, deltas) {
      const frame = readJson(data)
      if (typeof frame.error === 'string') throw reportedFault(frame.error)
      const part = readReply(partSchema, frame)
      const text = part.message?.content ?? part.response
      if (text) deltas.push({ type: 'text', text })
      for (const call of toolCallsOf(part, calls)) {
        deltas.push({ type: 'tool-call', index: calls, ...call })
        calls += 1
      }
      if (!part.done) return 'more'
      deltas.push(...closingDeltas(part, calls > 0))
      return 'end'
    },
  }
}

function closingDeltas(part: Part, calledTools: boolean): readonly ChatDelta[] {
  return [
    { type: 'stop', reason: stopReason(part, calledTools) },
    {
      type: 'usage',
      promptTokens: part.prompt_eval_count ?? undefined,
      completionTokens: part.eval_count ?? undefined,
    },
  ]
}

/** Ollama gives its calls no ids, or only lately; other protocols need them. */
const toolCallsOf = (part: Part, before = 0): readonly ToolCall[] =>
  (part.message?.tool_calls ?? []).map((call, place) => ({
    id: call.id ?? `call_${before + place}`,
    name: call.function.name,
    arguments:
      typeof call.function.arguments === 'string'
        ? call.function.arguments
        : JSON.stringify(call.function.arguments ?? {}),
  }))

function stopReason(part: Part, calledTools: boolean): StopReason {
  if (calledTools) return 'tool-calls'
  return part.done_reason === 'length' ? 'length' : 'stop'
}

function writeRequest(request: ChatRequest): Readonly<Record<string, unknown>> {
  const { tools, temperature, topP, maxTokens, stop, format, stream } = request
  if (request.toolChoice === 'required' || typeof request.toolChoice === 'object') {
    throw llmFault(
      'unsupported',
      'llm.unsupported',
      'This model cannot be made to call a tool: its provider speaks the Ollama protocol, which ' +
        'has no tool_choice. Leave tool_choice out, or name a model of another provider.',
    )
  }
  const offered = request.toolChoice === 'none' ? [] : tools
  return {
    messages: request.messages.map(writeMessage),
    ...(offered.length === 0
      ? {}
      : { tools: offered.map((tool) => ({ type: 'function', function: tool })) }),
    ...(format === undefined ? {} : { format: format === 'json' ? 'json' : format.schema }),
    options: {
      ...(temperature === undefined ? {} : { temperature }),
      ...(topP === undefined ? {} : { top_p: topP }),
      ...(maxTokens === undefined ? {} : { num_predict: maxTokens }),
      ...(stop === undefined ? {} : { stop }),
    },
    stream,
  }
}

function writeMessage(message: ChatMessage): unknown {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text }
    case 'user': {
      const images = message.parts.flatMap((part) => {
        if (part.type === 'image-url') throw noImageUrls()
        return part.type === 'image' ? [part.base64] : []
      })
      return {
        role: 'user',
        content: textOf(message),
        ...(images.length === 0 ? {} : { images }),
      }
    }
    case 'assistant':
      return {
        role: 'assistant',
        content: message.text,
        ...(message.toolCalls.length === 0
          ? {}
          : {
              tool_calls: message.toolCalls.map((call) => ({
                function: { name: call.name, arguments: parseArguments(call.arguments) },
              })),
            }),
      }
    case 'tool':
      return {
        role: 'tool',
        content: message.text,
        ...(message.name === undefined ? {} : { tool_name: message.name }),
      }
  }
}

const noImageUrls = () =>
  llmFault(
    'unsupported',
    'llm.unsupported',
    'This model cannot fetch images: its provider speaks the Ollama protocol. ' +
      'Send the image itself, as a data: URL.',
  )
