import { randomUUID } from 'node:crypto'
import type { Clock, LlmModelConfig } from '@aegis/core'
import {
  type ChatAnswer,
  type ChatDelta,
  type ChatRequest,
  latestPrompt,
  textOf,
} from '../chat/chat.ts'
import { estimatePromptTokens, estimateTokens } from '../chat/estimate-tokens.ts'
import { requireTranslatable } from '../dialects/require-translatable.ts'
import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'
import type { Provider, ReplyBatch } from '../providers/provider.ts'
import { embedText } from './embed-text.ts'
import type { ScriptedPace, ScriptedReply, ScriptedRule } from './scripted-rule.ts'

export interface ScriptedProviderOptions {
  readonly name: string
  readonly models: readonly LlmModelConfig[]
  /** The first that matches answers. */
  readonly rules: readonly ScriptedRule[]
  readonly clock: Pick<Clock, 'sleep'>
}

/** A provider without a model: it answers from rules, the same each time, and needs no network. */
export function makeScriptedProvider(options: ScriptedProviderOptions): Provider {
  const { name, models, rules, clock } = options

  function replyTo(request: ChatRequest, model: string): ScriptedReply {
    const text = promptOf(request).slice(-limits.ruleInputChars)
    for (const rule of rules) {
      const reply = rule.match(text, model)
      if (reply !== undefined) return reply
    }
    throw llmFault(
      'not-found',
      'llm.no-rule',
      `No rule of the scripted provider "${name}" matches the last message; ` +
        'add a rule that matches anything (match: ".*") at the end of its rules file.',
      { final: true },
    )
  }

  return {
    name,
    type: 'scripted',
    local: true,
    models,
    embeds: true,

    async chat({ request, model }, signal) {
      requireTranslatable(request)
      const reply = replyTo(request, model)
      if (reply.pace.delayMs > 0) await clock.sleep(reply.pace.delayMs, signal)
      if (reply.type === 'error') throw scriptedFault(name, reply)
      const answer = answerOf(reply, request)
      if (!request.stream) return { kind: 'whole', answer }
      return { kind: 'stream', batches: streamOf(answer, reply.pace, clock, signal) }
    },

    async embed({ inputs, dimensions }) {
      return {
        vectors: inputs.map((input) => embedText(input, dimensions)),
        promptTokens: inputs.reduce((sum, input) => sum + estimateTokens(input), 0),
      }
    },

    async [Symbol.asyncDispose]() {},
  }
}

/** A tool's result alone says little: a rule sees what was asked before it, too. */
function promptOf({ messages }: ChatRequest): string {
  const last = messages.at(-1)
  if (last?.role === 'tool') return textOf(last)
  const system = messages.filter(({ role }) => role === 'system').map(textOf)
  return [...system, latestPrompt(messages)].join('\n\n')
}

function scriptedFault(provider: string, reply: ScriptedReply & { type: 'error' }): Error {
  const { status, message, retryAfterMs } = reply
  const again = status === 408 || status === 409 || status === 425 || status === 429
  return llmFault(
    status === 429 ? 'exhausted' : status < 500 ? 'invalid' : 'unavailable',
    'llm.provider-error',
    `Provider "${provider}" answered ${status}: ${message}`,
    { status, retryAfterMs, retryable: again || status >= 500, final: status < 500 && !again },
  )
}

function answerOf(
  reply: Exclude<ScriptedReply, { type: 'error' }>,
  request: ChatRequest,
): ChatAnswer {
  const text = reply.type === 'text' ? reply.text : ''
  const toolCalls = reply.type === 'tool-calls' ? reply.calls.map(toolCall) : []
  const said = text + toolCalls.map((call) => call.name + call.arguments).join('')
  return {
    text,
    toolCalls,
    stop: toolCalls.length > 0 ? 'tool-calls' : 'stop',
    usage: {
      promptTokens: estimatePromptTokens(request),
      completionTokens: estimateTokens(said),
    },
  }
}

const toolCall = (call: { name: string; arguments: unknown }) => ({
  id: `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
  name: call.name,
  arguments: JSON.stringify(call.arguments),
})

async function* streamOf(
  answer: ChatAnswer,
  pace: ScriptedPace,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal,
): AsyncGenerator<ReplyBatch> {
  for (const text of piecesOf(answer.text, pace.chunkChars)) {
    signal.throwIfAborted()
    yield { deltas: [{ type: 'text', text }], last: false }
    if (pace.chunkDelayMs > 0) await clock.sleep(pace.chunkDelayMs, signal)
  }
  const calls = answer.toolCalls.map(
    (call, index): ChatDelta => ({ type: 'tool-call', index, ...call }),
  )
  if (calls.length > 0) yield { deltas: calls, last: false }
  const end: ChatDelta[] = [{ type: 'stop', reason: answer.stop }]
  if (answer.usage !== undefined) end.push({ type: 'usage', ...answer.usage })
  yield { deltas: end, last: true }
}

function piecesOf(text: string, chunkChars: number): readonly string[] {
  if (chunkChars === 0) return text.match(/\s*\S+|\s+$/g) ?? []
  const characters = [...text]
  const pieces: string[] = []
  for (let at = 0; at < characters.length; at += chunkChars) {
    pieces.push(characters.slice(at, at + chunkChars).join(''))
  }
  return pieces
}
