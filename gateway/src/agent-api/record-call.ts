import type { Clock, GatewayRecorder } from '@aegis/core'
import { type ChatAnswer, type ChatRequest, latestPrompt, type Usage } from '../chat/chat.ts'
import { clipText } from '../chat/clip-text.ts'
import { estimatePromptTokens, estimateTokens } from '../chat/estimate-tokens.ts'
import type { CountedAnswer } from '../dialects/agent-dialect.ts'
import { limits } from '../limits.ts'
import { describeFault } from '../llm-fault.ts'
import type { AttemptLog } from '../selection/try-candidates.ts'

/** Keeps account of one call and reports it once, however it ends. */
export interface CallRecord {
  readonly log: AttemptLog
  /** Resolves when the answer is durable. */
  answered(answer: ChatAnswer): Promise<CountedAnswer>
  /** `partial`: what the agent has seen of the answer. Does nothing after `answered`. */
  failed(error: unknown, partial?: ChatAnswer): Promise<void>
}

export interface CallRecordDeps {
  readonly recorder: GatewayRecorder
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly alias: string
  readonly request: ChatRequest
}

const nothing: ChatAnswer = { text: '', toolCalls: [], stop: 'stop' }

export function makeCallRecord({ recorder, clock, alias, request }: CallRecordDeps): CallRecord {
  const startedMs = clock.monotonicMs()
  const log: AttemptLog = { attempts: 0, candidate: undefined }
  let recorded = false

  async function record(answer: ChatAnswer, usage: Usage, error?: string): Promise<number> {
    recorded = true
    const { promptTokens, completionTokens } = usage
    const model = log.candidate?.model
    const price = model?.cost_per_1k_tokens ?? 0
    const durationMs = Math.round(clock.monotonicMs() - startedMs)
    await recorder.llmCalled({
      provider: log.candidate?.provider.name ?? 'none',
      model: model?.model ?? alias,
      alias,
      prompt: clipText(latestPrompt(request.messages), limits.recordedPromptBytes),
      response: clipText(readable(answer), limits.recordedAnswerBytes),
      ...(error === undefined ? {} : { error }),
      promptTokens,
      completionTokens,
      cost: ((promptTokens + completionTokens) / 1000) * price,
      durationMs,
      attempts: log.attempts,
    })
    return durationMs
  }

  return {
    log,
    async answered(answer) {
      const usage = countedUsage(answer, request)
      const durationMs = await record(answer, usage)
      return { ...answer, usage, durationMs }
    },
    async failed(error, partial) {
      if (recorded) return
      const answer = partial ?? nothing
      const usage = partial ? countedUsage(answer, request) : noUsage
      await record(answer, usage, describeFault(error).message)
    },
  }
}

const noUsage: Usage = { promptTokens: 0, completionTokens: 0 }

/** As the provider counted, else estimated. */
function countedUsage(answer: ChatAnswer, request: ChatRequest): Usage {
  return {
    promptTokens: answer.usage?.promptTokens || estimatePromptTokens(request),
    completionTokens: answer.usage?.completionTokens || estimateTokens(readable(answer)),
  }
}

const readable = ({ text, toolCalls }: ChatAnswer): string =>
  [text, ...toolCalls.map((call) => `[tool call] ${call.name} ${call.arguments}`)]
    .filter((part) => part !== '')
    .join('\n')
