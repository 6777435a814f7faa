import * as z from 'zod'
import {
  checkEnvName,
  freeTexts,
  knownKeys,
  line,
  longText,
  noNul,
  report,
  rule,
} from '../kernel/field.ts'
import { type Finding, quote } from '../kernel/input-error.ts'
import { contextSchema } from './manifest-context.ts'
import { executionSchema, validationSchema } from './manifest-execution.ts'
import { runtimeSchema } from './manifest-runtime.ts'
import { advancedSchema, scheduleSchema } from './manifest-schedule.ts'
import { securitySchema } from './manifest-security.ts'
import { taskSchema } from './manifest-task.ts'

/** Maps of a manifest whose keys belong to the user. */
export const manifestFreeMaps = [
  'labels',
  'annotations',
  'env',
  'environment',
  'headers',
  'secrets',
]

export const agentName = () => z.string().superRefine(rule(checkName))

export const environmentSchema = z
  .record(z.string().superRefine(rule(checkEnvName)), longText())
  .refine((env) => Object.keys(env).length <= 200, {
    error: 'There are more than 200 variables.',
    params: { remedy: 'Put settings into a file with spec.context.' },
  })

/** What a secret may be called. */
export const secretName = () =>
  z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9._-]{0,79}$/,
      'Use a-z, 0-9, ., _ and - (not first), at most 80 characters.',
    )

const secretsSchema = z
  .record(z.string().superRefine(rule(checkEnvName)), secretName())
  .refine((secrets) => Object.keys(secrets).length <= 50, {
    error: 'There are more than 50 secrets.',
    params: { remedy: 'Give the agent those that it needs.' },
  })
  .describe('Variables that stand for a secret of the node, such as `GITHUB_TOKEN: github`')

export const metadataSchema = knownKeys({
  name: agentName().describe('`a-z`, `0-9` and `-`, at most 80 characters'),
  version: line().describe('Of the agent; any text'),
  description: z.string().max(4096).superRefine(rule(noNul)).optional().describe('What it does'),
  labels: freeTexts().default({}).describe('Free texts to find it by'),
  annotations: freeTexts().default({}).describe('Free texts for other programs'),
})

const specSchema = knownKeys({
  runtime: runtimeSchema,
  task: taskSchema.prefault({}),
  context: contextSchema.prefault([]),
  execution: executionSchema.optional(),
  security: securitySchema.prefault({}),
  schedule: scheduleSchema.optional(),
  tools: z.array(line()).max(200).default([]).describe('Names of tools; kept, not used yet'),
  env: environmentSchema.optional().describe('Variables of the agent; none begins with `AEGIS_`'),
  secrets: secretsSchema.prefault({}),
  advanced: advancedSchema.prefault({}),
  environment: environmentSchema.optional().meta({ aliasOf: 'spec.env' }),
  validation: validationSchema.optional().meta({ aliasOf: 'spec.execution.validation' }),
})
  .superRefine((spec, context) => {
    const twice = (there: string): Finding => ({
      message: `It says the same as ${there}, which is given too.`,
      remedy: 'Keep one of them.',
    })
    for (const name of Object.keys(spec.secrets)) {
      if (!Object.hasOwn(spec.env ?? spec.environment ?? {}, name)) continue
      report(context, twice('spec.env'), ['secrets', name])
    }
    if (spec.environment && spec.env) report(context, twice('spec.env'), ['environment'])
    if (spec.validation && spec.execution?.validation) {
      report(context, twice('spec.execution.validation'), ['validation'])
    }
  })
  .transform(({ runtime, execution, security, env, environment, validation, ...spec }) => {
    // Keys that the reference's own demo manifests carry get the meaning their names say.
    const { timeout: runtimeTimeout, ...ownRuntime } = runtime
    const { memory: executionMemory, ...ownExecution } = execution ?? {
      mode: 'one-shot' as const,
      max_retries: 3,
    }
    const { cpu, memory, disk, timeout, pids, gpu } = security.resources
    return {
      ...spec,
      runtime: ownRuntime,
      execution: validation === undefined ? ownExecution : { ...ownExecution, validation },
      security: {
        ...security,
        resources: {
          cpu,
          memory: memory ?? executionMemory ?? '512Mi',
          disk,
          timeout: timeout ?? runtimeTimeout ?? '300s',
          pids,
          gpu,
        },
      },
      env: env ?? environment ?? {},
    }
  })

/** The `apiVersion` form of a manifest: what a file may say, and what becomes of it. */
export const manifestSchema = knownKeys({
  apiVersion: z.literal('100monkeys.ai/v1').describe('Names the form'),
  kind: z
    .enum(['AgentManifest', 'Agent'])
    .transform(() => 'AgentManifest' as const)
    .describe('`Agent` means the same'),
  metadata: metadataSchema,
  spec: specSchema,
})

function checkName(name: string): Finding | undefined {
  if (/^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$/.test(name)) return undefined
  const meant = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 80)
    .replace(/^-+|-+$/g, '')
  const remedy = meant === '' ? '' : ` For example: ${meant}.`
  return {
    message: name === '' ? 'It is empty.' : `${quote(name)} is not a name.`,
    remedy: `Use a-z, 0-9 and - (not first or last), at most 80 characters.${remedy}`,
  }
}
