import {
  agentActions,
  apiActions,
  lifecycleActions,
  type PolicyExplanation,
  type PolicyList,
  type PolicyReview,
  type PolicySummary,
} from '@aegis/core'
import { z } from 'zod'

const problem = z.object({
  file: z.string(),
  line: z.int().exactOptional(),
  column: z.int().exactOptional(),
  message: z.string(),
})

const policy = z.object({
  id: z.string(),
  agent: z.string().exactOptional(),
  effect: z.enum(['permit', 'forbid']),
  source: z.string(),
  actions: z.array(z.enum([...agentActions, ...lifecycleActions, ...apiActions])),
  text: z.string(),
})

/** `GET /api/policies` */
export const policyList = z.object({
  folder: z.string(),
  problems: z.array(problem),
  closed: z.boolean(),
  warnings: z.array(problem),
  policies: z.array(policy),
})

/** `POST /api/policies/explain` */
export const policyExplanation = z.object({
  allow: z.boolean(),
  policies: z.array(z.string()),
  because: z.string(),
  deciding: z.array(policy),
})

/** `POST /api/policies/check` */
export const policyReview = z.object({
  problems: z.array(problem),
  warnings: z.array(problem),
  policies: z.int().min(0),
  refused: z.array(z.object({ agent: z.string(), because: z.string() })),
})

const name = z.string().min(1).max(4096)
const place = { host: z.string().min(1).max(253), port: z.int().min(1).max(65_535) }

/** The body of `POST /api/policies/explain`. */
export const policyQuestion = z.strictObject({
  agent: z.string().regex(/^[a-z0-9-]{1,128}$/, 'must be the name or the id of an agent'),
  request: z.discriminatedUnion('action', [
    z.strictObject({
      action: z.literal('network.connect'),
      ...place,
      address: z.string().max(45).exactOptional(),
      http: z
        .strictObject({
          method: z.string().regex(/^[A-Z]{1,20}$/),
          path: z.string().startsWith('/').max(8192),
          headers: z.record(z.string().max(256), z.string().max(8192)),
        })
        .exactOptional(),
    }),
    z.strictObject({ action: z.literal('dns.resolve'), name: z.string().min(1).max(253) }),
    z.strictObject({ action: z.enum(['fs.read', 'fs.write']), path: name }),
    z.strictObject({ action: z.literal('llm.generate'), model: name }),
    z.strictObject({ action: z.literal('tool.invoke'), tool: name }),
    z.strictObject({ action: z.enum(['memory.read', 'memory.write']), space: name }),
    z.strictObject({ action: z.enum(['swarm.spawn', 'swarm.send']), agent: name }),
    z.strictObject({ action: z.literal('swarm.lock'), lock: name }),
    z.strictObject({ action: z.literal('secret.use'), secret: name, ...place }),
  ]),
})

/** The body of `POST /api/policies/check`. */
export const policyCheck = z.strictObject({
  files: z
    .array(z.strictObject({ name: z.string().min(1).max(255), text: z.string().max(2 ** 20) }))
    .max(200),
  against_agents: z.boolean().default(false),
})

type PolicyWire = z.infer<typeof policy>
type ProblemWire = z.infer<typeof problem>

const policyToWire = ({ agent, actions, ...rest }: PolicySummary): PolicyWire => ({
  ...rest,
  ...(agent !== undefined && { agent }),
  actions: [...actions],
})

const problemToWire = ({
  file,
  line,
  column,
  message,
}: PolicyReview['problems'][number]): ProblemWire => ({
  file,
  ...(line !== undefined && { line }),
  ...(column !== undefined && { column }),
  message,
})

export const policyListToWire = (list: PolicyList): z.infer<typeof policyList> => ({
  folder: list.folder,
  problems: list.problems.map(problemToWire),
  closed: list.closed,
  warnings: list.warnings.map(problemToWire),
  policies: list.policies.map(policyToWire),
})

export const policyListFromWire = (wire: z.infer<typeof policyList>): PolicyList => wire

export const policyExplanationToWire = (
  found: PolicyExplanation,
): z.infer<typeof policyExplanation> => ({
  allow: found.allow,
  policies: [...found.policies],
  because: found.because,
  deciding: found.deciding.map(policyToWire),
})

export const policyExplanationFromWire = (
  wire: z.infer<typeof policyExplanation>,
): PolicyExplanation => wire

export const policyReviewToWire = (review: PolicyReview): z.infer<typeof policyReview> => ({
  problems: review.problems.map(problemToWire),
  warnings: review.warnings.map(problemToWire),
  policies: review.policies,
  refused: review.refused.map((one) => ({ ...one })),
})
