import { z } from 'zod'
import { userText } from '../chat/chat.ts'
import { type Fault, faultSeconds } from '../llm-fault.ts'
import type { AgentDialect, AnswerAbout, CountedAnswer } from './agent-dialect.ts'
import { parseBody } from './parse-body.ts'

const requestSchema = z.object({
  prompt: z.string(),
  model: z.string().nullish(),
  system: z.string().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  max_tokens: z.int().min(1).nullish(),
  stop: z.array(z.string()).max(16).nullish(),
  stream: z.boolean().nullish(),
})

/**
 * `POST /api/llm/generate`: one prompt, one text. What a request says of its execution is not
 * read: the stream it came on is its identity.
 */
export const aegisAgentDialect: AgentDialect = {
  parse(body, accept) {
    const request = parseBody(requestSchema, body)
    const { prompt, system, stream } = request
    return {
      model: request.model ?? undefined,
      messages: [...(system ? [{ role: 'system', text: system } as const] : []), userText(prompt)],
      tools: [],
      stream: stream ?? accept.includes('text/event-stream'),
      temperature: request.temperature ?? undefined,
      maxTokens: request.max_tokens ?? undefined,
      stop: request.stop ?? undefined,
    }
  },

  answer: (answer, about) => ({
    content: answer.text,
    ...trailer(answer, about),
    ...(answer.toolCalls.length > 0 ? { tool_calls: answer.toolCalls } : {}),
  }),

  stream: (about) => ({
    contentType: 'text/event-stream; charset=utf-8',
    write: (deltas) =>
      deltas
        .map((delta) => (delta.type === 'text' ? dataLine({ delta: delta.text }) : ''))
        .join(''),
    end: (answer) => dataLine({ done: true, ...trailer(answer, about) }),
    fault: (fault) => dataLine(faultBody(fault)),
  }),

  fault: faultBody,
}

function faultBody(fault: Fault): unknown {
  const retryAfter = faultSeconds(fault)
  return {
    error: fault.message,
    code: fault.code,
    ...(retryAfter === undefined ? {} : { retry_after: retryAfter }),
  }
}

function trailer({ usage }: CountedAnswer, { provider, model }: AnswerAbout) {
  return {
    usage: {
      prompt_tokens: usage.promptTokens,
      completion_tokens: usage.completionTokens,
      total_tokens: usage.promptTokens + usage.completionTokens,
    },
    provider,
    model,
  }
}

const dataLine = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`
