import * as z from 'zod'
import { knownKeys, line, longText, rule, wholeNumber } from '../kernel/field.ts'
import { type Finding, quote } from '../kernel/input-error.ts'

const enabled = z.boolean().default(true).describe('Whether it runs')

/** Parsed and kept; not run yet. */
export const scheduleSchema = z.discriminatedUnion('type', [
  knownKeys({
    type: z.literal('cron'),
    cron: line()
      .superRefine(rule(checkCron))
      .describe('Five fields: minute hour day month weekday'),
    timezone: line()
      .superRefine(rule(checkTimezone))
      .describe('An IANA name, such as Europe/Berlin'),
    enabled,
  }),
  knownKeys({
    type: z.literal('interval'),
    seconds: wholeNumber(1, 31_536_000).describe('Seconds from start to start'),
    enabled,
  }),
  knownKeys({ type: z.literal('manual') }),
])

export const advancedSchema = knownKeys({
  warm_pool_size: wholeNumber(0, 1000)
    .default(0)
    .describe('Sandboxes that wait for tasks, whether or not any come'),
  swarm_enabled: z.boolean().default(false).describe('May start other agents; kept, not used yet'),
  startup_script: longText().optional().describe('Kept, not used yet'),
  health_check: knownKeys({
    path: line().describe('What is asked'),
    interval_seconds: wholeNumber(1, 86_400).describe('Seconds between two'),
    timeout_seconds: wholeNumber(1, 86_400).describe('Seconds one may take'),
  })
    .optional()
    .describe('Kept, not used yet'),
})

function checkCron(cron: string): Finding | undefined {
  const fields = cron.trim().split(/\s+/)
  const known = fields.every((field) => /^[\d*,/\-?LW#A-Z]+$/i.test(field))
  if (known && (fields.length === 5 || fields.length === 6)) return undefined
  return {
    message: `${quote(cron)} is not a cron expression.`,
    remedy: 'Write five fields, for example "0 9 * * 1-5" (at nine on working days).',
  }
}

function checkTimezone(timezone: string): Finding | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone })
    return undefined
  } catch {
    return {
      message: `${quote(timezone)} is not a time zone.`,
      remedy: 'Use an IANA name, for example UTC or Europe/Berlin.',
    }
  }
}
