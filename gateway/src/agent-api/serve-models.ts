import { AegisError } from '@aegis/core'
import { z } from 'zod'
import { parseBody } from '../dialects/parse-body.ts'
import type { Candidate, ModelCatalog } from '../selection/model-catalog.ts'
import type { AgentRequestHandler } from './agent-request.ts'
import { readBody } from './read-body.ts'
import { sendJson } from './send.ts'

/** A fixed time where a protocol wants one and there is none. */
const epoch = '1970-01-01T00:00:00Z'

/** `GET /v1/models`, which two protocols share: Anthropic's clients always name its version. */
export const makeListModels =
  (catalog: ModelCatalog): AgentRequestHandler =>
  async ({ incoming, outgoing }) => {
    const names = namesOf(catalog)
    if (incoming.headers['anthropic-version'] === undefined) {
      return sendJson(outgoing, { object: 'list', data: names.map(openAiModel) })
    }
    const data = names.map(anthropicModel)
    sendJson(outgoing, {
      data,
      has_more: false,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    })
  }

/** `GET /v1/models/{id}` */
export const makeGetModel =
  (catalog: ModelCatalog): AgentRequestHandler =>
  async ({ incoming, outgoing, path }) => {
    const id = decodeURIComponentOr(path.slice('/v1/models/'.length))
    catalog.candidates(id)
    const isAnthropic = incoming.headers['anthropic-version'] !== undefined
    sendJson(outgoing, isAnthropic ? anthropicModel(id) : openAiModel(id))
  }

/** Ollama's `GET /api/tags` */
export const makeListTags =
  (catalog: ModelCatalog): AgentRequestHandler =>
  async ({ outgoing }) => {
    const models = namesOf(catalog).map((name) => ({
      name,
      model: name,
      modified_at: epoch,
      size: 0,
      digest: '',
      details: detailsOf(firstOf(catalog, name)),
    }))
    sendJson(outgoing, { models })
  }

const showSchema = z.object({ model: z.string().nullish(), name: z.string().nullish() })

/** Ollama's `POST /api/show` */
export const makeShowModel =
  (catalog: ModelCatalog): AgentRequestHandler =>
  async ({ incoming, outgoing, identity }) => {
    const { model, name } = parseBody(showSchema, await readBody(incoming))
    const candidate = firstOf(catalog, model ?? name ?? identity.defaultModel)
    if (candidate === undefined)
      throw new AegisError('not-found', 'llm.model-not-found', 'No model')
    sendJson(outgoing, {
      modelfile: '',
      parameters: '',
      template: '',
      details: detailsOf(candidate),
      model_info: { 'general.context_length': candidate.model.context_window },
      capabilities: ['completion', 'tools'],
      modified_at: epoch,
    })
  }

const firstOf = (catalog: ModelCatalog, name: string): Candidate | undefined =>
  catalog.candidates(name)[0]

/** Each alias once, then each model that is not an alias. */
const namesOf = ({ all }: ModelCatalog): readonly string[] => [
  ...new Set([...all.map(({ model }) => model.alias), ...all.map(({ model }) => model.model)]),
]

const openAiModel = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'aegis' })

const anthropicModel = (id: string) => ({
  type: 'model',
  id,
  display_name: id,
  created_at: epoch,
})

const detailsOf = (candidate: Candidate | undefined) => ({
  parent_model: '',
  format: '',
  family: candidate?.provider.type ?? '',
  families: null,
  parameter_size: '',
  quantization_level: '',
})

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
