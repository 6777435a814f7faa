import * as z from 'zod'
import { formatDuration } from '../kernel/duration.ts'
import {
  durationText,
  freeTexts,
  hostPath,
  knownKeys,
  line,
  report,
  rule,
  sizeText,
  wholeNumber,
} from '../kernel/field.ts'
import { contextSchema } from './manifest-context.ts'
import { executionSchema } from './manifest-execution.ts'
import { maxTimeoutMs } from './manifest-runtime.ts'
import { advancedSchema, scheduleSchema } from './manifest-schedule.ts'
import { agentName, environmentSchema } from './manifest-schema.ts'
import { maxSizeBytes, minDiskBytes, minMemoryBytes } from './manifest-security.ts'
import { taskSchema } from './manifest-task.ts'
import { checkNetworkEntry } from './network-entry.ts'

/** Whether a document is in the flat form: `version: "1.1"`, `agent: …`, no `apiVersion`. */
export function isFlatManifest(document: unknown): boolean {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return false
  return 'agent' in document && !('apiVersion' in document) && !('kind' in document)
}

const flatExecutionSchema = knownKeys({
  mode: z.enum(['single', 'loop', '100monkeys', 'one-shot', 'iterative']).default('single'),
  max_retries: wholeNumber(0, 1000).optional(),
  timeout_seconds: wholeNumber(1, 604_800).optional(),
  timeout_per_iteration: executionSchema.in.shape.timeout_per_iteration,
  validation: executionSchema.in.shape.validation,
  delivery: executionSchema.in.shape.delivery,
})

const networkEntries = () =>
  z.array(z.string().max(300).toLowerCase().superRefine(rule(checkNetworkEntry))).max(1000)

const permissionsSchema = knownKeys({
  network: knownKeys({
    allow: networkEntries().default([]),
    deny: networkEntries().default([]),
  }).prefault({}),
  fs: knownKeys({
    read: z.array(hostPath()).max(100).default([]),
    write: z.array(hostPath()).max(100).default([]),
  }).prefault({}),
  resources: knownKeys({
    cpu: wholeNumber(10, 1_024_000).optional(),
    memory: sizeText(minMemoryBytes, maxSizeBytes).optional(),
    disk: sizeText(minDiskBytes, maxSizeBytes).optional(),
  }).prefault({}),
  execution_time: durationText(1000, maxTimeoutMs()).optional(),
  memory: sizeText(minMemoryBytes, maxSizeBytes).optional(),
  cpu_quota: z.number().min(0.01).max(1024).optional(),
})

/** The flat form of a manifest, as the reference's documents showed it. */
export const flatManifestSchema = knownKeys({
  version: z.enum(['1.0', '1.1', '0.1.0']),
  agent: knownKeys({
    name: agentName(),
    version: line().default('1.0.0'),
    description: z.string().max(4096).optional(),
    runtime: z.string().regex(/^[a-z0-9][\w.\-/:@]{0,254}$/, 'Write it like python:3.11.'),
    autopull: z.boolean().default(true),
    memory: z.literal(false).optional(),
    timeout_seconds: wholeNumber(1, 604_800).optional(),
    task: taskSchema.optional(),
    execution: flatExecutionSchema.optional(),
  }),
  task: taskSchema.optional(),
  execution: flatExecutionSchema.optional(),
  context: contextSchema.optional(),
  permissions: permissionsSchema.prefault({}),
  schedule: scheduleSchema.optional(),
  tools: z.array(line()).max(200).optional(),
  env: environmentSchema.optional(),
  advanced: advancedSchema.optional(),
  metadata: knownKeys({
    author: line().optional(),
    created: line().optional(),
    tags: z.array(line()).max(100).optional(),
    cost_center: line().optional(),
  }).optional(),
  labels: freeTexts().optional(),
}).superRefine(({ agent, task, execution, permissions }, context) => {
  const twice = (there: string) => ({
    message: `It says the same as ${there}, which is given too.`,
    remedy: 'Keep one of them.',
  })
  if (agent.task && task) report(context, twice('task'), ['agent', 'task'])
  if (agent.execution && execution) report(context, twice('execution'), ['agent', 'execution'])
  if (!agent.task && !task) {
    report(
      context,
      { message: 'It is missing.', remedy: 'Add task: with an instruction: at the top.' },
      ['task'],
    )
  }
  if (permissions.memory && permissions.resources.memory) {
    report(context, twice('permissions.resources.memory'), ['permissions', 'memory'])
  }
  if (permissions.cpu_quota && permissions.resources.cpu) {
    report(context, twice('permissions.resources.cpu'), ['permissions', 'cpu_quota'])
  }
})

type FlatManifest = z.output<typeof flatManifestSchema>

/** The same manifest in the `apiVersion` form, for `manifestSchema`. */
export function fromFlatManifest(flat: FlatManifest): unknown {
  const { agent, permissions, context, schedule, tools, env, advanced } = flat
  const execution = flat.execution ?? agent.execution
  const { name, version, description } = agent
  return withoutAbsent({
    apiVersion: '100monkeys.ai/v1',
    kind: 'AgentManifest',
    metadata: { name, version, description, labels: flat.labels, annotations: annotationsOf(flat) },
    spec: {
      runtime: { ...imageOf(agent.runtime), autopull: agent.autopull },
      task: flat.task ?? agent.task,
      context,
      execution: executionOf(execution),
      security: {
        network: networkOf(permissions.network),
        filesystem: permissions.fs,
        resources: {
          cpu: permissions.resources.cpu ?? millicores(permissions.cpu_quota),
          memory: permissions.resources.memory ?? permissions.memory,
          disk: permissions.resources.disk,
          timeout:
            permissions.execution_time ??
            secondsText(execution?.timeout_seconds ?? agent.timeout_seconds),
        },
      },
      schedule,
      tools,
      env,
      advanced,
    },
  })
}

/** `python:3.11` names a language; what holds a `/`, or names none, is an image. */
function imageOf(runtime: string): object {
  const [name = '', tag = 'latest'] = runtime.split(':')
  const language = languages.get(name)
  if (runtime.includes('/') || runtime.includes('@') || language === undefined)
    return { image: runtime }
  return { language, version: tag }
}

const languages: ReadonlyMap<string, string> = new Map([
  ['python', 'python'],
  ['node', 'javascript'],
  ['javascript', 'javascript'],
  ['typescript', 'typescript'],
  ['rust', 'rust'],
  ['golang', 'go'],
  ['go', 'go'],
])

function executionOf(execution: FlatManifest['execution']): object | undefined {
  if (execution === undefined) return undefined
  const { mode, max_retries: retries, timeout_seconds: _, ...rest } = execution
  const once = mode === 'single' || mode === 'one-shot'
  // There, retries counted from 0; here, iterations count from 1.
  const max_retries = retries === undefined ? undefined : Math.max(1, retries)
  return { ...rest, mode: once ? 'one-shot' : 'iterative', max_retries }
}

function networkOf({ allow, deny }: FlatManifest['permissions']['network']): object {
  if (allow.length > 0) return { mode: 'allow', allowlist: allow, denylist: deny }
  return { mode: deny.length > 0 ? 'deny' : 'none', denylist: deny }
}

function annotationsOf({ metadata }: FlatManifest): object {
  const { tags, ...texts } = metadata ?? {}
  return { ...texts, tags: tags?.join(', ') }
}

const millicores = (cores: number | undefined): number | undefined =>
  cores === undefined ? undefined : Math.round(cores * 1000)

const secondsText = (seconds: number | undefined): string | undefined =>
  seconds === undefined ? undefined : formatDuration(seconds * 1000)

const withoutAbsent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
