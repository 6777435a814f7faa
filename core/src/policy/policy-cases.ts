import * as z from 'zod'
import type { InputOrigin } from '../agent/parse-manifest.ts'
import { checkInput } from '../kernel/check-input.ts'
import { knownKeys, line, rule } from '../kernel/field.ts'
import { readYaml } from '../kernel/read-yaml.ts'
import { withoutUndefined } from '../kernel/without-undefined.ts'
import { parseAgentRequest, type WrittenRequest } from './parse-agent-request.ts'
import type { AgentRequest } from './policy-request.ts'

/** What somebody expects of the policies. */
export interface PolicyCase {
  /** As a report names it. */
  readonly title: string
  readonly agent: string
  readonly request: AgentRequest
  readonly expect: 'allow' | 'deny'
  /** Id of a policy that must be among those that decide. */
  readonly by?: string | undefined
}

/** Characters of a file of cases. */
export const maxPolicyCaseCharacters = 2 ** 20

const caseSchema = knownKeys({
  agent: line(),
  action: line(),
  resource: line(),
  method: line().optional(),
  path: line().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  expect: z.enum(['allow', 'deny']),
  by: line().optional(),
}).superRefine(
  rule((written) => {
    const request = parseAgentRequest(written)
    return 'message' in request ? request : undefined
  }),
)

const casesSchema = knownKeys({ cases: z.array(caseSchema).min(1).max(1000) })

/**
 * Reads a file of cases.
 * @throws AegisError `invalid` / `cases.invalid` with all problems and their places
 */
export function parsePolicyCases(
  source: string,
  { file }: InputOrigin = {},
): readonly PolicyCase[] {
  const document = readYaml(source, maxPolicyCaseCharacters)
  const { cases } = checkInput(casesSchema, document, {
    code: 'cases.invalid',
    file,
    freeMaps: ['headers'],
  })
  return withoutUndefined(cases).map((written) => {
    const request = parseAgentRequest(written)
    if ('message' in request) throw new Error('A case that the schema let through')
    const { agent, expect, by } = written
    return { title: titleOf(written), agent, request, expect, ...(by !== undefined && { by }) }
  })
}

const titleOf = ({
  agent,
  action,
  resource,
  method,
  path,
}: WrittenRequest & { readonly agent: string }): string =>
  [agent, action, method, resource, path].filter((part) => part !== undefined).join(' ')
