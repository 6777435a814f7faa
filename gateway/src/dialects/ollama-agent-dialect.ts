import { z } from 'zod'
import { type ChatMessage, type ChatRequest, type StopReason, userText } from '../chat/chat.ts'
import type { Fault } from '../llm-fault.ts'
import type { AgentDialect, AnswerAbout, CountedAnswer } from './agent-dialect.ts'
import { imageOf } from './image-parts.ts'
import { parseArguments } from './parse-arguments.ts'
import { parseBody } from './parse-body.ts'

const sharedFields = {
  model: z.string().nullish(),
  stream: z.boolean().nullish(),
  format: z.union([z.literal(''), z.literal('json'), z.looseObject({})]).nullish(),
  options: z
    .object({
      temperature: z.number().nullish(),
      top_p: z.number().nullish(),
      num_predict: z.number().nullish(),
      stop: z.union([z.string(), z.array(z.string())]).nullish(),
    })
    .nullish(),
}

const chatSchema = z.object({
  ...sharedFields,
  messages: z
    .array(
      z.object({
        role: z.enum(['system', 'user', 'assistant', 'tool']),
        content: z.string().nullish(),
        images: z.array(z.string()).nullish(),
        tool_calls: z
          .array(
            z.object({
              function: z.object({ name: z.string(), arguments: z.unknown().optional() }),
            }),
          )
          .nullish(),
        tool_name: z.string().nullish(),
      }),
    )
    .min(1),
  tools: z
    .array(
      z.object({
        function: z.object({
          name: z.string(),
          description: z.string().optional(),
          parameters: z.unknown().optional(),
        }),
      }),
    )
    .nullish(),
})

const generateSchema = z.object({
  ...sharedFields,
  prompt: z.string().default(''),
  system: z.string().nullish(),
  images: z.array(z.string()).nullish(),
})

/** Ollama's `POST /api/chat`. */
export const ollamaChatDialect: AgentDialect = makeDialect(
  (body) => {
    const request = parseBody(chatSchema, body)
    return {
      ...sharedOf(request),
      messages: parseMessages(request.messages),
      tools: (request.tools ?? []).map(({ function: { name, description, parameters } }) => ({
        name,
        description,
        parameters: parameters ?? { type: 'object', properties: {} },
      })),
    }
  },
  (content, calls) => ({
    message: { role: 'assistant', content, ...(calls.length === 0 ? {} : { tool_calls: calls }) },
  }),
)

/** Ollama's `POST /api/generate`. */
export const ollamaGenerateDialect: AgentDialect = makeDialect(
  (body) => {
    const request = parseBody(generateSchema, body)
    const { system, prompt, images } = request
    const text = userText(prompt)
    return {
      ...sharedOf(request),
      messages: [
        ...(system ? [{ role: 'system', text: system } as const] : []),
        images?.length && text.role === 'user'
          ? { role: 'user', parts: [...text.parts, ...images.map(imageOf)] }
          : text,
      ],
      tools: [],
    }
  },
  (response) => ({ response }),
)

interface OllamaCall {
  readonly function: { readonly name: string; readonly arguments: unknown }
}

/** The two routes differ in where the prompt and the answer stand. */
function makeDialect(
  parse: (body: unknown) => ChatRequest,
  place: (text: string, calls: readonly OllamaCall[]) => object,
): AgentDialect {
  const line = (about: AnswerAbout, body: object) =>
    `${JSON.stringify({ ...head(about), ...body })}\n`
  return {
    parse,
    answer: (answer, about) => ({
      ...head(about),
      ...place(answer.text, answer.toolCalls.map(writeCall)),
      ...closing(answer),
    }),
    stream: (about) => ({
      contentType: 'application/x-ndjson',
      write: (deltas) =>
        deltas
          .map((delta) =>
            delta.type === 'text' ? line(about, { ...place(delta.text, []), done: false }) : '',
          )
          .join(''),
      // Ollama's calls come whole, so they wait until they are.
      end: (answer) => {
        const calls = answer.toolCalls.map(writeCall)
        const called = calls.length === 0 ? '' : line(about, { ...place('', calls), done: false })
        return called + line(about, { ...place('', []), ...closing(answer) })
      },
      fault: (fault) => `${JSON.stringify(ollamaFault(fault))}\n`,
    }),
    fault: ollamaFault,
  }
}

export function ollamaFault({ message, code }: Fault): unknown {
  return { error: message, code }
}

const head = ({ model, startedAt }: AnswerAbout) => ({
  model,
  created_at: startedAt.toISOString(),
})

/** Durations are nanoseconds here. */
function closing({ stop, usage, durationMs }: CountedAnswer) {
  const durationNs = Math.round(durationMs * 1_000_000)
  return {
    done: true,
    done_reason: doneReason(stop),
    total_duration: durationNs,
    load_duration: 0,
    prompt_eval_count: usage.promptTokens,
    prompt_eval_duration: 0,
    eval_count: usage.completionTokens,
    eval_duration: durationNs,
  }
}

const doneReason = (stop: StopReason): string => (stop === 'length' ? 'length' : 'stop')

const writeCall = ({ name, arguments: json }: { name: string; arguments: string }): OllamaCall => ({
  function: { name, arguments: parseArguments(json) },
})

type Shared = Pick<z.infer<typeof generateSchema>, keyof typeof sharedFields>

function sharedOf({ model, stream, format, options }: Shared) {
  const { temperature, top_p, num_predict, stop } = options ?? {}
  return {
    model: model || undefined,
    stream: stream ?? true,
    temperature: temperature ?? undefined,
    topP: top_p ?? undefined,
    // Here -1 and -2 mean: no bound.
    maxTokens: num_predict && num_predict > 0 ? num_predict : undefined,
    stop: typeof stop === 'string' ? [stop] : (stop ?? undefined),
    format: !format ? undefined : format === 'json' ? ('json' as const) : { schema: format },
  }
}

/** Calls have no ids here: results belong to the calls before them, in order. */
function parseMessages(messages: z.infer<typeof chatSchema>['messages']): readonly ChatMessage[] {
  const waiting: { id: string; name: string }[] = []
  let calls = 0
  const parse = (message: (typeof messages)[number]): ChatMessage => {
    const text = message.content ?? ''
    switch (message.role) {
      case 'system':
        return { role: 'system', text }
      case 'user': {
        const images = (message.images ?? []).map(imageOf)
        return { role: 'user', parts: [{ type: 'text', text }, ...images] }
      }
      case 'assistant': {
        const toolCalls = (message.tool_calls ?? []).map(
          ({ function: { name, arguments: args } }) => {
            calls += 1
            const json = typeof args === 'string' ? args : JSON.stringify(args ?? {})
            return { id: `call_${calls}`, name, arguments: json }
          },
        )
        waiting.push(...toolCalls)
        return { role: 'assistant', text, toolCalls }
      }
      case 'tool': {
        const named = waiting.findIndex(({ name }) => name === message.tool_name)
        const [call] = waiting.splice(Math.max(0, named), 1)
        return { role: 'tool', callId: call?.id ?? '', name: message.tool_name ?? call?.name, text }
      }
    }
  }
  return messages.map(parse)
}
