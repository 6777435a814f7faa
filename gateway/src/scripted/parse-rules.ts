import { AegisError, type Logger } from '@aegis/core'
import { parse } from 'yaml'
import { z } from 'zod'
import { limits } from '../limits.ts'
import { makeRegexMatcher } from './regex-matcher.ts'
import type { ScriptedPace, ScriptedReply, ScriptedRule } from './scripted-rule.ts'

const patternSchema = z.string().min(1).max(2000)

const ruleSchema = z
  .strictObject({
    /** JavaScript regular expression, searched for in the last message. */
    match: patternSchema,
    flags: z
      .string()
      .regex(/^[imsu]*$/, 'flags are of i, m, s and u')
      .default('is'),
    /** Only for this model. */
    model: z.string().optional(),
    /** `$1` … `$9` and `$<name>` are the groups of `match`, `$&` all of it, `$$` a dollar. */
    reply: z.string().optional(),
    tool_calls: z
      .array(z.strictObject({ name: z.string().min(1), arguments: z.json().default({}) }))
      .min(1)
      .optional(),
    error: z
      .strictObject({
        status: z.int().min(400).max(599),
        message: z.string().default('scripted error'),
        /** Seconds. */
        retry_after: z.number().min(0).optional(),
      })
      .optional(),
    delay_ms: z.int().min(0).max(600_000).default(0),
    /** Characters of one streamed piece; 0: a word at a time. */
    chunk_chars: z.int().min(0).max(100_000).default(0),
    chunk_delay_ms: z.int().min(0).max(60_000).default(0),
  })
  .refine(
    ({ reply, tool_calls, error }) =>
      [reply, tool_calls, error].filter((given) => given !== undefined).length === 1,
    'needs one of reply, tool_calls and error',
  )

const rulesSchema = z.array(ruleSchema).min(1).max(limits.rules)
const fileSchema = z.union([rulesSchema, z.strictObject({ rules: rulesSchema })])

export interface ParseRulesOptions {
  /** Of the file, for messages. */
  readonly path: string
  readonly logger: Logger
}

/**
 * Reads a rules file, YAML or JSON: a list of rules, or an object with the list as `rules`.
 * @throws AegisError `invalid` / `scripted.rules` that names the file and the place
 */
export function parseRules(
  text: string,
  { path, logger }: ParseRulesOptions,
): readonly ScriptedRule[] {
  const file = readFile(text, path)
  const list = Array.isArray(file) ? file : file.rules
  return list.map((rule, place): ScriptedRule => {
    const matcher = makeRegexMatcher(compile(rule, `${path}: rules[${place}]`), () =>
      logger.warn({ path, rule: place }, 'scripted rule took too long to match: skipped'),
    )
    return {
      match(input, model) {
        if (rule.model !== undefined && rule.model !== model) return undefined
        const found = matcher(input)
        return found === undefined ? undefined : replyOf(rule, found)
      },
    }
  })
}

type Rule = z.infer<typeof ruleSchema>

function readFile(text: string, path: string): z.infer<typeof fileSchema> {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw faulty(`${path}: ${cause instanceof Error ? cause.message : cause}`, cause)
  }
  const parsed = Array.isArray(value) ? rulesSchema.safeParse(value) : fileSchema.safeParse(value)
  if (parsed.success) return parsed.data
  // For an object, the fault lies in the second form.
  const [issue] = parsed.error.issues
  const inner = issue?.code === 'invalid_union' ? issue.errors[1]?.[0] : issue
  const where = inner?.path.map(String).join('.') || 'file'
  throw faulty(`${path}: ${where}: ${inner?.message ?? 'not a list of rules'}`)
}

function compile({ match, flags }: Rule, where: string): RegExp {
  try {
    return new RegExp(match, flags)
  } catch (cause) {
    throw faulty(`${where}.match: ${cause instanceof Error ? cause.message : cause}`, cause)
  }
}

const faulty = (message: string, cause?: unknown) =>
  new AegisError(
    'invalid',
    'scripted.rules',
    `${message}. See docs/reference/gateway.md for the form of a rules file.`,
    { cause },
  )

function replyOf(rule: Rule, match: RegExpExecArray): ScriptedReply {
  const pace: ScriptedPace = {
    delayMs: rule.delay_ms,
    chunkChars: rule.chunk_chars,
    chunkDelayMs: rule.chunk_delay_ms,
  }
  if (rule.error !== undefined) {
    const { status, message, retry_after } = rule.error
    const retryAfterMs = retry_after === undefined ? undefined : retry_after * 1000
    return { type: 'error', status, message, retryAfterMs, pace }
  }
  if (rule.tool_calls !== undefined) return { type: 'tool-calls', calls: rule.tool_calls, pace }
  return { type: 'text', text: fill(rule.reply ?? '', match), pace }
}

/** Puts the groups of a match in their places. */
function fill(template: string, match: RegExpExecArray): string {
  return template.replace(/\$(?:(\$)|(&)|(\d)|<([^>]*)>)/g, (whole, dollar, all, digit, name) => {
    if (dollar !== undefined) return '$'
    if (all !== undefined) return match[0]
    if (digit !== undefined) return match[Number(digit)] ?? ''
    return match.groups === undefined ? whole : (match.groups[name] ?? '')
  })
}
