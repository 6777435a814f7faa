import { AegisError } from '@aegis/core'
import { z } from 'zod'
import { userText } from '../chat/chat.ts'
import { estimateTokens } from '../chat/estimate-tokens.ts'
import { parseBody } from '../dialects/parse-body.ts'
import { limits } from '../limits.ts'
import type { EmbeddingReply } from '../providers/provider.ts'
import type { AgentRequestHandler } from './agent-request.ts'
import { logCall } from './log-call.ts'
import { permittedModels } from './permitted-models.ts'
import { readPrompt } from './read-prompt.ts'
import { makeCallRecord } from './record-call.ts'
import { sendJson } from './send.ts'
import type { ServeChatDeps } from './serve-chat.ts'

const requestSchema = z.object({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(z.string()).min(1).max(limits.embeddingInputs)], {
    error: `a text, or a list of 1 to ${limits.embeddingInputs} texts (token numbers are not accepted)`,
  }),
  dimensions: z.int().min(1).max(limits.embeddingDimensions).nullish(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
})

export type EmbeddingDialect = 'openai' | 'ollama'

/** Makes the handlers of the embedding routes. */
export function makeServeEmbeddings(
  deps: ServeChatDeps,
): (dialect: EmbeddingDialect) => AgentRequestHandler {
  const { catalog, tryCandidates, clock, logger } = deps

  return (dialect) => async (agent) => {
    const { model, input, dimensions, encoding_format } = parseBody(
      requestSchema,
      await readPrompt(agent),
    )
    const inputs = typeof input === 'string' ? [input] : input
    const alias = model || agent.identity.defaultModel
    const request = {
      model: alias,
      messages: [userText(inputs.join('\n'))],
      tools: [],
      stream: false,
    }
    const record = makeCallRecord({ recorder: agent.recorder, clock, alias, request })
    try {
      const { candidates } = permittedModels(catalog, agent, alias)
      const able = candidates.filter(({ provider }) => provider.embeds)
      if (able.length === 0) throw noEmbeddings(alias)
      const reply = await tryCandidates(
        able,
        undefined,
        (candidate) =>
          candidate.provider.embed(
            { model: candidate.model.model, inputs, dimensions: dimensions ?? undefined },
            agent.signal,
          ),
        record.log,
        agent.signal,
      )
      const promptTokens =
        reply.promptTokens ?? inputs.reduce((sum, text) => sum + estimateTokens(text), 0)
      const usage = { promptTokens, completionTokens: 0 }
      await record.answered({ text: '', toolCalls: [], stop: 'stop', usage })
      const name = record.log.candidate?.model.model ?? alias
      const write = dialect === 'openai' ? writeOpenAi : writeOllama
      sendJson(agent.outgoing, write(reply, name, promptTokens, encoding_format === 'base64'))
      logCall(logger, agent, alias, record.log)
    } catch (error) {
      logCall(logger, agent, alias, record.log, error)
      await record.failed(error)
      throw error
    }
  }
}

const noEmbeddings = (alias: string) =>
  new AegisError(
    'unsupported',
    'llm.no-embeddings',
    `No provider of model "${alias}" has embeddings. Name a model of an openai, ` +
      'openai-compatible, ollama or scripted provider.',
  )

function writeOpenAi(
  { vectors }: EmbeddingReply,
  model: string,
  promptTokens: number,
  asBase64: boolean,
): unknown {
  return {
    object: 'list',
    model,
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: asBase64 ? base64Of(vector) : vector,
    })),
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  }
}

const writeOllama = (
  { vectors }: EmbeddingReply,
  model: string,
  promptTokens: number,
): unknown => ({
  model,
  embeddings: vectors,
  prompt_eval_count: promptTokens,
})

/** 32-bit floats, little-endian, as OpenAI's clients ask for them. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [place, value] of vector.entries()) bytes.writeFloatLE(value, place * 4)
  return bytes.toString('base64')
}
