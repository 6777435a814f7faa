import { AegisError } from '@aegis/core'
import { z } from 'zod'
import type { ChatDelta, ChatMessage, ChatRequest, ContentPart, StopReason } from '../chat/chat.ts'
import type { Fault } from '../llm-fault.ts'
import type { AgentDialect, AnswerAbout, CountedAnswer } from './agent-dialect.ts'
import { imageAt } from './image-parts.ts'
import { writeCall } from './openai-provider-dialect.ts'
import { parseBody } from './parse-body.ts'

// Loose throughout: a provider of this dialect gets the body as it is, fields we do not know included.
const partSchema = z.union([
  z.object({ type: z.enum(['text', 'refusal']), text: z.string().default('') }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: z.string() }) }),
  z.object({ type: z.string() }),
])
const contentSchema = z.union([z.string(), z.array(partSchema)]).nullish()

const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: contentSchema,
  tool_calls: z
    .array(
      z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) }),
    )
    .nullish(),
  tool_call_id: z.string().nullish(),
})

const requestSchema = z.object({
  model: z.string().nullish(),
  messages: z.array(messageSchema).min(1),
  tools: z
    .array(
      z.object({
        type: z.string(),
        function: z
          .object({
            name: z.string(),
            description: z.string().optional(),
            parameters: z.unknown().optional(),
          })
          .optional(),
      }),
    )
    .nullish(),
  tool_choice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.object({ function: z.object({ name: z.string() }) }),
    ])
    .nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  n: z.int().min(1).max(128).nullish(),
  response_format: z
    .object({
      type: z.string(),
      json_schema: z.object({ schema: z.unknown().optional() }).nullish(),
    })
    .nullish(),
})
type Message = z.infer<typeof messageSchema>

/** OpenAI's `POST /v1/chat/completions`. */
export const openAiAgentDialect: AgentDialect = {
  parse(body) {
    const request = parseBody(requestSchema, body)
    return {
      model: request.model || undefined,
      messages: request.messages.map((message) => parseMessage(message, request.messages)),
      tools: (request.tools ?? []).flatMap(({ function: tool }) =>
        tool === undefined
          ? []
          : [{ ...tool, parameters: tool.parameters ?? { type: 'object', properties: {} } }],
      ),
      toolChoice:
        typeof request.tool_choice === 'object'
          ? request.tool_choice?.function
          : request.tool_choice,
      stream: request.stream ?? false,
      streamUsage: request.stream_options?.include_usage ?? false,
      choices: request.n ?? 1,
      temperature: request.temperature ?? undefined,
      topP: request.top_p ?? undefined,
      maxTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
      stop: typeof request.stop === 'string' ? [request.stop] : (request.stop ?? undefined),
      format: parseFormat(request.response_format),
    }
  },

  answer: (answer, about) => ({
    ...head(about, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text === '' && answer.toolCalls.length > 0 ? null : answer.text,
          refusal: null,
          ...(answer.toolCalls.length === 0 ? {} : { tool_calls: answer.toolCalls.map(writeCall) }),
        },
        logprobs: null,
        finish_reason: finishReason(answer.stop),
      },
    ],
    usage: writeUsage(answer),
  }),

  stream(about, request) {
    const chunk = (delta: unknown, finish: string | null) =>
      dataLine({
        ...head(about, 'chat.completion.chunk'),
        choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      })
    let begun = false
    return {
      contentType: 'text/event-stream; charset=utf-8',
      write(deltas) {
        let text = ''
        for (const delta of deltas) {
          const piece = writeDelta(delta)
          if (piece === undefined) continue
          text += chunk(begun ? piece : { role: 'assistant', content: null, ...piece }, null)
          begun = true
        }
        return text
      },
      end(answer) {
        const last = chunk(
          begun ? {} : { role: 'assistant', content: '' },
          finishReason(answer.stop),
        )
        const usage = {
          ...head(about, 'chat.completion.chunk'),
          choices: [],
          usage: writeUsage(answer),
        }
        return `${last}${request.streamUsage ? dataLine(usage) : ''}data: [DONE]\n\n`
      },
      fault: (fault) => dataLine(openAiFault(fault)),
    }
  },

  fault: openAiFault,
}

export function openAiFault({ status, code, message, providerCode }: Fault): unknown {
  return {
    error: {
      message,
      type: faultType(status),
      param: null,
      code: providerCode ?? openAiCode(code),
    },
  }
}

const openAiCode = (code: string): string =>
  code === 'llm.model-not-found' || code === 'llm.model-absent' ? 'model_not_found' : code

function faultType(status: number): string {
  if (status === 401) return 'authentication_error'
  if (status === 403) return 'permission_error'
  if (status === 429) return 'rate_limit_error'
  return status < 500 ? 'invalid_request_error' : 'server_error'
}

function parseMessage(message: Message, all: readonly Message[]): ChatMessage {
  const { role, content, tool_calls, tool_call_id } = message
  const parts = partsOf(content)
  const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
  switch (role) {
    case 'system':
    case 'developer':
      return { role: 'system', text }
    case 'user':
      return { role, parts }
    case 'assistant':
      return {
        role,
        text,
        toolCalls: (tool_calls ?? []).map((call) => ({ id: call.id, ...call.function })),
      }
    case 'tool': {
      const callId = tool_call_id ?? ''
      const call = all.flatMap((one) => one.tool_calls ?? []).find(({ id }) => id === callId)
      return { role, callId, name: call?.function.name, text }
    }
  }
}

function partsOf(content: Message['content']): readonly ContentPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return (content ?? []).map((part): ContentPart => {
    if ('image_url' in part) return imageAt(part.image_url.url)
    if ('text' in part) return { type: 'text', text: part.text }
    return { type: 'other', name: part.type }
  })
}

function parseFormat(
  format: z.infer<typeof requestSchema>['response_format'],
): ChatRequest['format'] {
  switch (format?.type) {
    case 'json_object':
      return 'json'
    case 'json_schema':
      return { schema: format.json_schema?.schema ?? {} }
    case 'text':
    case undefined:
      return undefined
    default:
      throw new AegisError(
        'invalid',
        'llm.request',
        'The request is malformed: response_format.type: text, json_object or json_schema',
      )
  }
}

const head = ({ id, startedAt, model }: AnswerAbout, object: string) => ({
  id: `chatcmpl-${id}`,
  object,
  created: Math.floor(startedAt.getTime() / 1000),
  model,
})

function writeDelta(delta: ChatDelta): Readonly<Record<string, unknown>> | undefined {
  if (delta.type === 'text') return { content: delta.text }
  if (delta.type !== 'tool-call') return undefined
  const { index, id, name, arguments: json } = delta
  return {
    tool_calls: [
      {
        index,
        ...(id === undefined ? {} : { id, type: 'function' }),
        function: { ...(name === undefined ? {} : { name }), arguments: json },
      },
    ],
  }
}

const writeUsage = ({ usage }: CountedAnswer) => ({
  prompt_tokens: usage.promptTokens,
  completion_tokens: usage.completionTokens,
  total_tokens: usage.promptTokens + usage.completionTokens,
})

function finishReason(stop: StopReason): string {
  switch (stop) {
    case 'stop':
      return 'stop'
    case 'length':
      return 'length'
    case 'tool-calls':
      return 'tool_calls'
    case 'filter':
      return 'content_filter'
  }
}

const dataLine = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
