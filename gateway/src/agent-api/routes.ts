import type { IncomingHttpHeaders } from 'node:http'
import { AegisError } from '@aegis/core'
import { estimatePromptTokens } from '../chat/estimate-tokens.ts'
import { aegisAgentDialect } from '../dialects/aegis-agent-dialect.ts'
import type { AgentDialect } from '../dialects/agent-dialect.ts'
import { anthropicAgentDialect } from '../dialects/anthropic-agent-dialect.ts'
import { ollamaChatDialect, ollamaGenerateDialect } from '../dialects/ollama-agent-dialect.ts'
import { openAiAgentDialect } from '../dialects/openai-agent-dialect.ts'
import type { AgentRequestHandler } from './agent-request.ts'
import { readBody } from './read-body.ts'
import { sendJson } from './send.ts'
import { makeServeChat, type ServeChatDeps } from './serve-chat.ts'
import { makeServeEmbeddings } from './serve-embeddings.ts'
import { makeGetModel, makeListModels, makeListTags, makeShowModel } from './serve-models.ts'

/** What an agent may ask, and in which words it is refused. */
export interface Routes {
  /** @throws AegisError `not-found` / `request.no-route` naming what there is */
  find(method: string, path: string): AgentRequestHandler
  /** The dialect that a client of this path understands, also where there is no such route. */
  dialectOf(path: string, headers: IncomingHttpHeaders): Pick<AgentDialect, 'fault'>
}

export function makeRoutes(deps: ServeChatDeps): Routes {
  const { catalog } = deps
  const serveChat = makeServeChat(deps)
  const serveEmbeddings = makeServeEmbeddings(deps)
  const table: ReadonlyMap<string, AgentRequestHandler> = new Map([
    ['GET /health', health],
    ['POST /api/llm/generate', serveChat({ dialect: aegisAgentDialect })],
    [
      'POST /v1/chat/completions',
      serveChat({
        dialect: openAiAgentDialect,
        original: { dialect: 'openai', operation: 'chat' },
      }),
    ],
    ['POST /v1/embeddings', serveEmbeddings('openai')],
    ['GET /v1/models', makeListModels(catalog)],
    [
      'POST /v1/messages',
      serveChat({
        dialect: anthropicAgentDialect,
        original: { dialect: 'anthropic', operation: 'chat' },
      }),
    ],
    ['POST /v1/messages/count_tokens', countTokens],
    [
      'POST /api/chat',
      serveChat({ dialect: ollamaChatDialect, original: { dialect: 'ollama', operation: 'chat' } }),
    ],
    [
      'POST /api/generate',
      serveChat({
        dialect: ollamaGenerateDialect,
        original: { dialect: 'ollama', operation: 'generate' },
      }),
    ],
    ['POST /api/embed', serveEmbeddings('ollama')],
    ['GET /api/tags', makeListTags(catalog)],
    ['POST /api/show', makeShowModel(catalog)],
    ['GET /api/version', version],
  ])
  const getModel = makeGetModel(catalog)
  const known = [...table.keys()].join(', ')

  return {
    find(method, path) {
      const handler = table.get(`${method} ${path}`)
      if (handler !== undefined) return handler
      if (method === 'GET' && path.startsWith('/v1/models/')) return getModel
      const asked = `${method} ${path}`.slice(0, 200)
      const text = `The agent API has no ${asked}. It has: ${known}, GET /v1/models/{id}.`
      throw new AegisError('not-found', 'request.no-route', text)
    },

    dialectOf(path, headers) {
      if (path.startsWith('/v1/messages') || headers['anthropic-version'] !== undefined) {
        return anthropicAgentDialect
      }
      if (path.startsWith('/v1/')) return openAiAgentDialect
      if (path.startsWith('/api/llm/')) return aegisAgentDialect
      return path.startsWith('/api/') ? ollamaChatDialect : aegisAgentDialect
    },
  }
}

const health: AgentRequestHandler = async ({ outgoing }) =>
  sendJson(outgoing, { status: 'healthy' })

/** The version of Ollama's API that is spoken here, not of anything that runs. */
const version: AgentRequestHandler = async ({ outgoing }) =>
  sendJson(outgoing, { version: '0.6.4' })

/** An estimate: asking the provider would cost a call. */
const countTokens: AgentRequestHandler = async ({ incoming, outgoing }) => {
  const request = anthropicAgentDialect.parse(await readBody(incoming), '')
  sendJson(outgoing, { input_tokens: estimatePromptTokens(request) })
}
