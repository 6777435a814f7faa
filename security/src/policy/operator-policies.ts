import type { PolicyAction, PolicyFile, PolicyProblem } from '@aegis/core'
import { agentActions, apiActions, lifecycleActions } from '@aegis/core'
import { type Cedar, type DetailedError, loadCedar, type PolicyJson } from './cedar.ts'
import { placeOf, positionOfByte, type Statement, splitStatements } from './cedar-text.ts'
import type { CompiledPolicy } from './compiled-policy.ts'
import { policySchema } from './policy-schema.ts'

/** Policies of one file; more are a mistake, and slow. */
const maxPolicies = 1000

export interface OperatorPolicies {
  readonly policies: readonly CompiledPolicy[]
  /** Where there are any, `policies` is not to be put in force. */
  readonly problems: readonly PolicyProblem[]
  readonly warnings: readonly PolicyProblem[]
}

/** Reads the operator's files and checks every policy against the vocabulary. */
export function readOperatorPolicies(files: readonly PolicyFile[]): OperatorPolicies {
  if (files.length === 0) return { policies: [], problems: [], warnings: [] }
  const cedar = loadCedar()
  const read = files.map((file) => readFile(cedar, file))
  const policies = read.flatMap((one) => one.policies)
  const problems = [...read.flatMap((one) => one.problems), ...duplicates(policies)]
  if (policies.length > maxPolicies) {
    const message = `There are ${policies.length} policies, and at most ${maxPolicies} are read. Write what they share as one.`
    problems.push({ file: files[0]?.name ?? '', message })
  }
  return { policies, problems, warnings: read.flatMap((one) => one.warnings) }
}

function readFile(cedar: Cedar, file: PolicyFile): OperatorPolicies {
  const policies: CompiledPolicy[] = []
  const problems: PolicyProblem[] = []
  const warnings: PolicyProblem[] = []
  for (const [index, statement] of splitStatements(file.text).entries()) {
    const place = (byte: number) => ({
      file: file.name,
      ...placeOf(file.text, statement.start + positionOfByte(statement.text, byte)),
    })
    const parsed = cedar.policyToJson(statement.text)
    if (parsed.type === 'failure') {
      problems.push(...parsed.errors.map((error) => problemOf(error, place)))
      continue
    }
    const { json } = parsed
    const id = json.annotations?.id ?? `${file.name}#${index + 1}`
    const finding = refusedId(json.annotations?.id)
    if (finding !== undefined) {
      problems.push({ ...place(0), message: finding })
      continue
    }
    const validated = validate(cedar, statement)
    problems.push(...validated.errors.map((error) => problemOf(error, place)))
    warnings.push(...validated.warnings.map((error) => problemOf(error, place)))
    if (json.effect === 'permit') warnings.push({ ...place(0), message: permitsNothing })
    const { file: name, line } = place(0)
    policies.push({
      id,
      effect: json.effect,
      actions: actionsOf(json),
      source: `${name}:${line}`,
      json,
      text: statement.text,
    })
  }
  return { policies, problems, warnings }
}

const permitsNothing =
  'A permit of the operator has no effect: agents have what their manifests ask for, users what their roles give them. Write forbid … unless … to narrow that.'

function validate(
  cedar: Cedar,
  { text }: Statement,
): { readonly errors: readonly DetailedError[]; readonly warnings: readonly DetailedError[] } {
  const answer = cedar.validate({ schema: policySchema, policies: { staticPolicies: text } })
  if (answer.type === 'failure') return { errors: answer.errors, warnings: [] }
  return {
    errors: answer.validationErrors.map(({ error }) => error),
    warnings: answer.validationWarnings.map(({ error }) => error),
  }
}

function problemOf(
  { message, help, sourceLocations, related }: DetailedError,
  place: (byte: number) => Required<Pick<PolicyProblem, 'file' | 'line' | 'column'>>,
): PolicyProblem {
  const [location] = sourceLocations ?? []
  const words = [
    message
      .replace(/^failed to parse (policy|policies) from string: /, '')
      .replace(/^for policy `policy\d+`, /, ''),
    location?.label,
    help,
    ...(related ?? []).map((one) => one.message),
  ]
  return {
    ...place(location?.start ?? 0),
    message: words.filter((part) => part !== null && part !== undefined).join('; '),
  }
}

/** An id that the operator chose, and that could be taken for another's. */
function refusedId(id: string | undefined): string | undefined {
  if (id === undefined) return undefined
  if (/^(agent|builtin)\//.test(id)) {
    return `@id("${id.slice(0, 80)}"): ids that begin with agent/ or builtin/ are the product's own. Choose another.`
  }
  return /^[\w./#:@ -]{1,120}$/.test(id)
    ? undefined
    : 'An @id has 1 to 120 letters, digits, blanks and . _ - / # : @, and no others.'
}

function duplicates(policies: readonly CompiledPolicy[]): readonly PolicyProblem[] {
  const seen = new Map<string, CompiledPolicy>()
  return policies.flatMap((policy) => {
    const first = seen.get(policy.id)
    seen.set(policy.id, policy)
    if (first === undefined) return []
    const [file = '', line] = policy.source.split(/:(?=\d+$)/)
    const message = `The id ${policy.id} is that of ${first.source} too. Give each its own.`
    return [{ file, line: Number(line), message }]
  })
}

const everyAction: readonly PolicyAction[] = [...agentActions, ...lifecycleActions, ...apiActions]

/** The actions that a policy speaks of, as far as its head tells. */
function actionsOf({ action, principal }: PolicyJson): readonly PolicyAction[] {
  const named = namedActions(action)
  const type = principalType(principal)
  return everyAction.filter(
    (one) =>
      (named === undefined || named.has(one)) &&
      (type === undefined || (type === 'Agent') === isAgentAction(one)),
  )
}

function namedActions(action: PolicyJson['action']): ReadonlySet<string> | undefined {
  if (action.op === 'All') return undefined
  const entities =
    'entities' in action ? action.entities : 'entity' in action ? [action.entity] : []
  return new Set(entities.map((one) => ('__entity' in one ? one.__entity.id : one.id)))
}

function principalType(principal: PolicyJson['principal']): 'Agent' | 'User' | undefined {
  if (principal.op === 'is') return principal.entity_type === 'Agent' ? 'Agent' : 'User'
  if (principal.op === 'All' || !('entity' in principal)) return undefined
  const { entity } = principal
  return ('__entity' in entity ? entity.__entity.type : entity.type) === 'Agent' ? 'Agent' : 'User'
}

const agentActionSet: ReadonlySet<string> = new Set(agentActions)
const isAgentAction = (action: PolicyAction): boolean => agentActionSet.has(action)
