import type { IncomingHttpHeaders } from 'node:http'
import { AegisError } from '@aegis/core'
import { aegisAgentDialect } from '../dialects/aegis-agent-dialect.ts'
import type { AgentDialect } from '../dialects/agent-dialect.ts'
import type { AgentRequestHandler } from './agent-request.ts'
import { sendJson } from './send.ts'
import { makeServeChat, type ServeChatDeps } from './serve-chat.ts'

/** What an agent may ask, and in which words it is refused. */
export interface Routes {
  find(method: string, path: string): AgentRequestHandler
  /** The dialect that a client of this path understands, also where there is no such route. */
  dialectOf(path: string, headers: IncomingHttpHeaders): AgentDialect
}

export function makeRoutes(deps: ServeChatDeps): Routes {
  const serveChat = makeServeChat(deps)
  const table: Readonly<Record<string, AgentRequestHandler>> = {
    'GET /health': async ({ outgoing }) => sendJson(outgoing, { status: 'healthy' }),
    'POST /api/llm/generate': serveChat({ dialect: aegisAgentDialect }),
  }
  const known = Object.keys(table).join(', ')

  return {
    find(method, path) {
      const handler = table[`${method} ${path}`]
      if (handler !== undefined) return handler
      throw new AegisError(
        'not-found',
        'request.no-route',
        `The agent API has no ${method.slice(0, 16)} ${path.slice(0, 200)}. It has: ${known}.`,
      )
    },
    dialectOf: () => aegisAgentDialect,
  }
}
