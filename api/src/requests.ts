import { executionStatus, id, instant, isolation, secretPlace } from '@aegis/http-contract'
import { z } from 'zod'

/** An agent's name or id in a path. */
export const agentParams = z.strictObject({
  ref: z
    .string()
    .regex(/^[a-z0-9-]{1,128}$/, 'must be the name or the id of an agent: a-z, 0-9 and "-"'),
})

export const nameParams = z.strictObject({ name: agentParams.shape.ref })

/** An execution's id in a path. */
export const executionParams = z.strictObject({ id })

export const policiesQuery = z.strictObject({ agent: agentParams.shape.ref.optional() })

/** A token's name or id in a path. */
export const tokenParams = z.strictObject({
  token: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,79}$/, 'must be the name or the id of a token'),
})

/** For routes that take no query. */
export const noQuery = z.strictObject({})

/** Only the two words; `fallback` when the key is not there. */
const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'])
    .default(fallback ? 'true' : 'false')
    .transform((word) => word === 'true')

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .meta({ type: 'integer', minimum: least, maximum: most, pattern: undefined })
    .transform(Number)
    .pipe(z.int().min(least).max(most))

export const deployQuery = z.strictObject({ replace: flag(false) })

export const manifestQuery = z.strictObject({
  revision: wholeNumber(1, 1_000_000_000).optional(),
})

/** In the one spelling that entries have, so that the two can be compared. */
const exactInstant = instant.transform((text) => new Date(text).toISOString())

const auditFilter = {
  type: z
    .string()
    .regex(/^[a-z][a-z.-]{0,63}\*?$/, 'must be a type of entry, or its beginning and "*"')
    .optional(),
  actor: z.string().min(1).max(256).optional(),
  agent: agentParams.shape.ref.optional(),
  execution_id: id.optional(),
  since: exactInstant.optional(),
  until: exactInstant.optional(),
}

const entryIndex = wholeNumber(0, Number.MAX_SAFE_INTEGER)

export const auditQuery = z.strictObject({
  ...auditFilter,
  before: entryIndex.optional(),
  limit: wholeNumber(1, 1_000).default(20),
})

export const auditEventsQuery = z.strictObject({ ...auditFilter, from: entryIndex.optional() })

export const entryParams = z.strictObject({ index: entryIndex })

export const proofQuery = z.strictObject({ size: entryIndex.optional() })

/** What follows `tile/` in a path of C2SP tlog-tiles; which there are is the control plane's to say. */
export const tileParams = z.strictObject({ '*': z.string().min(1).max(100) })

export const lastEntry = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of an event of this stream')
    .transform(Number)
    .optional(),
})

export const imagesQuery = z.strictObject({ all: flag(false) })

/** What the name of an image looks like is the control plane's to say. */
export const pullBody = z.strictObject({ reference: z.string().min(1).max(255) })

export const buildQuery = z.strictObject({ name: z.string().min(1).max(255).optional() })

export const executionsQuery = z.strictObject({
  agent_id: agentParams.shape.ref.optional(),
  status: executionStatus.optional(),
  limit: wholeNumber(1, 1_000).default(20),
})

export const agentEventsQuery = z.strictObject({ follow: flag(false) })

export const executionEventsQuery = z.strictObject({
  follow: flag(true),
  after: wholeNumber(0, Number.MAX_SAFE_INTEGER).default(0),
})

/** A reconnecting reader's header. It says more than the `after` of a URL that it repeats. */
export const lastVersion = z.object({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'must be the id of an event of this stream')
    .transform(Number)
    .optional(),
})

export const lastAgentEvent = z.object({
  'last-event-id': z
    .string()
    .regex(/^[0-9a-f-]{36}:\d{1,15}$/, 'must be the id of an event of this stream')
    .transform((text) => ({ execution: text.slice(0, 36), version: Number(text.slice(37)) }))
    .optional(),
})

const reason = z.string().max(1_000).optional()

/** Pause and cancel may say why. */
export const reasonBody = z.strictObject({ reason }).nullish()

/** Resume takes nothing; an empty object is nothing too. */
export const emptyBody = z.strictObject({}).nullish()

export const executeBody = z
  .strictObject({
    input: z.unknown(),
    priority: z.int().min(-100).max(100).optional(),
    isolation: isolation.optional(),
  })
  .refine((body) => Object.hasOwn(body, 'input'), {
    path: ['input'],
    message: 'is missing; null is an input too',
  })

/** What a name of a secret looks like is the control plane's to say. */
export const secretParams = z.strictObject({ name: z.string().min(1).max(200) })

const texts = z.array(z.string().max(300)).max(100).optional()

/** What is not given stays as it was. */
export const secretBody = z.strictObject({
  value: z.string(),
  agents: texts,
  hosts: texts,
  places: z.array(secretPlace).max(10).optional(),
})

export const rotateBody = z.strictObject({ key: z.string().max(200).optional() }).nullish()
