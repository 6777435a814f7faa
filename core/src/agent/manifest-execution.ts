import * as z from 'zod'
import { parseDuration } from '../kernel/duration.ts'
import {
  durationText,
  knownKeys,
  line,
  longText,
  report,
  sizeText,
  wholeNumber,
} from '../kernel/field.ts'
import { maxSizeBytes, minMemoryBytes } from './manifest-security.ts'

const seconds = (fallback: number) =>
  wholeNumber(1, 86_400).default(fallback).describe('Seconds, 1 to 86400')

export const validationSchema = knownKeys({
  system: knownKeys({
    must_succeed: z.boolean().default(true).describe('Refuse an exit code other than 0'),
    allow_stderr: z.boolean().default(false).describe('Accept output on stderr'),
    timeout_seconds: seconds(90),
  }).optional(),
  output: knownKeys({
    format: line().describe('`json`, `text` or another word for it'),
    schema: z.unknown().optional().describe('A JSON Schema'),
    regex: line().optional().describe('A pattern that the output must match'),
  }).optional(),
  script: knownKeys({
    path: line().describe('Script that judges the output'),
    description: line().optional().describe('For the reader'),
    timeout_seconds: seconds(30),
  }).optional(),
  semantic: knownKeys({
    enabled: z.boolean().default(true).describe('Whether to ask'),
    model: line().describe('Alias of the model that judges'),
    prompt: longText().describe('What it is asked'),
    threshold: z.number().min(0).max(1).default(0.8).describe('Least score, 0 to 1'),
    timeout_seconds: seconds(30),
    fallback_on_unavailable: z
      .enum(['fail', 'skip'])
      .default('fail')
      .describe('When it does not answer'),
  }).optional(),
}).superRefine(({ system, semantic }, context) => {
  if (system === undefined || semantic === undefined) return
  if (semantic.timeout_seconds <= system.timeout_seconds) return
  report(
    context,
    {
      message: `${semantic.timeout_seconds} is more than the ${system.timeout_seconds} of validation.system.`,
      remedy: `Use at most ${system.timeout_seconds}, or raise validation.system.timeout_seconds.`,
    },
    ['semantic', 'timeout_seconds'],
  )
})

const headers = z.record(line(), z.string().max(8192)).default({}).describe('Of the request')
const body = longText().optional().describe('Of the request')
const method = z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).describe('Of the request')
const webUrl = () =>
  z.url({ protocol: /^https?$/, error: 'Write a full https:// URL.' }).describe('Where to')

const shared = {
  name: line().describe('For the reader'),
  condition: z.enum(['on_success', 'on_failure', 'always']).describe('When it is sent'),
  transform: knownKeys({
    script: line().describe('Script that changes the result first'),
    args: z.array(longText()).max(100).default([]).describe('Its arguments'),
    timeout_seconds: seconds(30),
  }).optional(),
}

const deliverySchema = knownKeys({
  destinations: z
    .array(
      z.discriminatedUnion('type', [
        knownKeys({
          ...shared,
          type: z.literal('email'),
          email: knownKeys({
            to: line().describe('Address'),
            subject: line().describe('Subject'),
            body_template: longText().optional().describe('Handlebars'),
            attachments: z.array(line()).max(100).default([]).describe('Paths'),
          }),
        }),
        knownKeys({
          ...shared,
          type: z.literal('webhook'),
          webhook: knownKeys({
            url: webUrl(),
            method: method.default('POST'),
            headers,
            body,
          }),
        }),
        knownKeys({
          ...shared,
          type: z.literal('rest'),
          rest: knownKeys({ url: webUrl(), method, headers, body }),
        }),
        knownKeys({
          ...shared,
          type: z.literal('sms'),
          sms: knownKeys({
            to: line().describe('Number'),
            message: longText().describe('Text'),
          }),
        }),
      ]),
    )
    .max(100)
    .describe('Where results are sent: `email`, `webhook`, `rest` or `sms`; kept, not sent yet'),
})

/** Most iterations of one execution. */
const maxIterations = 1000

export const executionSchema = knownKeys({
  mode: z
    .enum(['one-shot', 'iterative'])
    .default('one-shot')
    .describe(
      '`one-shot` runs once; `iterative` runs again with what was wrong, until it is accepted',
    ),
  max_retries: wholeNumber(1, maxIterations)
    .optional()
    .meta({ default: 5 })
    .describe('Most iterations of one execution, 1 to 1000; 3 without an `execution` block'),
  max_iterations: wholeNumber(1, maxIterations)
    .optional()
    .meta({ aliasOf: 'spec.execution.max_retries' }),
  timeout_per_iteration: wholeNumber(1, 604_800)
    .optional()
    .describe('Seconds one iteration may take; absent: as long as the execution'),
  iteration_timeout: durationText(1000, 604_800_000)
    .optional()
    .meta({ aliasOf: 'spec.execution.timeout_per_iteration' }),
  validation: validationSchema.optional(),
  delivery: deliverySchema.optional(),
  memory: sizeText(minMemoryBytes, maxSizeBytes)
    .optional()
    .meta({ aliasOf: 'spec.security.resources.memory' }),
})
  .superRefine((execution, context) => {
    for (const [alias, name] of [
      ['max_iterations', 'max_retries'],
      ['iteration_timeout', 'timeout_per_iteration'],
    ] as const) {
      if (execution[alias] === undefined || execution[name] === undefined) continue
      const finding = {
        message: `It says the same as ${name}, which is given too.`,
        remedy: 'Keep one of them.',
      }
      report(context, finding, [alias])
    }
  })
  .transform(({ max_iterations, iteration_timeout, ...execution }) => ({
    ...execution,
    max_retries: execution.max_retries ?? max_iterations ?? 5,
    timeout_per_iteration:
      execution.timeout_per_iteration ??
      (iteration_timeout === undefined ? undefined : parseDuration(iteration_timeout) / 1000),
  }))
