import type { Clock, Logger } from '@aegis/core'
import type { ChatRequest } from '../chat/chat.ts'
import { estimatePromptTokens } from '../chat/estimate-tokens.ts'
import type { AgentDialect, AnswerAbout } from '../dialects/agent-dialect.ts'
import type { OriginalRequest } from '../providers/provider.ts'
import type { ModelCatalog } from '../selection/model-catalog.ts'
import type { TryCandidates } from '../selection/try-candidates.ts'
import type { AgentRequest, AgentRequestHandler } from './agent-request.ts'
import { logCall } from './log-call.ts'
import { permittedModels } from './permitted-models.ts'
import { readPrompt } from './read-prompt.ts'
import { type CallRecord, makeCallRecord } from './record-call.ts'
import { sendBytes, sendJson } from './send.ts'
import { sendStream } from './send-stream.ts'

export interface ServeChatDeps {
  readonly catalog: ModelCatalog
  readonly tryCandidates: TryCandidates
  readonly clock: Clock
  readonly logger: Logger
  /** Letters and digits, new with each call. */
  readonly newId: () => string
}

/** How a route's agents speak, and what of their request a provider of the same dialect gets. */
export interface ChatRoute {
  readonly dialect: AgentDialect
  readonly original?: Pick<OriginalRequest, 'dialect' | 'operation'>
}

/** Makes the handlers of the chat routes: ask a provider, record the call, answer. */
export function makeServeChat(deps: ServeChatDeps): (route: ChatRoute) => AgentRequestHandler {
  const { catalog, tryCandidates, clock, logger, newId } = deps

  return (route) => async (agent) => {
    const body = await readPrompt(agent)
    const request = withTemperature(
      route.dialect.parse(body, agent.incoming.headers.accept ?? ''),
      agent,
    )
    const original = originalOf(route, body, agent)
    const alias = request.model ?? agent.identity.defaultModel
    const record = makeCallRecord({ recorder: agent.recorder, clock, alias, request })
    try {
      const { candidates, fallback } = permittedModels(catalog, agent, alias)
      const reply = await tryCandidates(
        candidates,
        fallback,
        ({ provider, model }) =>
          provider.chat({ model: model.model, request, original }, agent.signal),
        record.log,
        agent.signal,
      )
      const about = aboutAnswer(record, request, clock, newId)
      if (reply.kind === 'stream') {
        await sendStream(agent, route.dialect.stream(about, request), reply.batches, record)
      } else {
        const answer = await record.answered(reply.answer)
        if (reply.bytes !== undefined) sendBytes(agent.outgoing, reply.bytes)
        else sendJson(agent.outgoing, route.dialect.answer(answer, about))
      }
      logCall(logger, agent, alias, record.log)
    } catch (error) {
      logCall(logger, agent, alias, record.log, error)
      await record.failed(error)
      throw error
    }
  }
}

/** The manifest's temperature holds where the agent names none. */
function withTemperature(request: ChatRequest, { identity }: AgentRequest): ChatRequest {
  return { ...request, temperature: request.temperature ?? identity.temperature }
}

/** Headers of the dialects that change what a model does. */
const dialectHeaders = ['anthropic-version', 'anthropic-beta']

function originalOf(
  { original }: ChatRoute,
  body: unknown,
  { incoming }: AgentRequest,
): OriginalRequest | undefined {
  if (original === undefined || typeof body !== 'object' || body === null) return undefined
  const headers: Record<string, string> = {}
  for (const name of dialectHeaders) {
    const value = incoming.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return { ...original, body: { ...body }, headers }
}

function aboutAnswer(
  { log }: CallRecord,
  request: ChatRequest,
  clock: Clock,
  newId: () => string,
): AnswerAbout {
  return {
    id: newId(),
    provider: log.candidate?.provider.name ?? '',
    model: log.candidate?.model.model ?? '',
    startedAt: new Date(clock.now()),
    estimatedPromptTokens: estimatePromptTokens(request),
  }
}
