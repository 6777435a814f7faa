import * as z from 'zod'
import { AegisError } from './aegis-error.ts'
import { durationSyntax, formatDuration, parseDuration } from './duration.ts'
import { type Finding, quote } from './input-error.ts'
import { formatSize, parseSize, sizeSyntax } from './size.ts'

/** A map that knows all its keys. Its errors about other keys carry the known ones. */
export function knownKeys<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape).join(' ')
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined),
  })
}

/** A check whose refusal says what is wrong and how to mend it. */
export function rule<Value>(check: (value: Value) => Finding | undefined) {
  return (value: Value, context: z.core.$RefinementCtx<Value>): void => {
    const finding = check(value)
    if (finding !== undefined) report(context, finding)
  }
}

/** Adds a finding to a check's result, at `path` below the value that is checked. */
export function report<Value>(
  context: z.core.$RefinementCtx<Value>,
  { message, remedy }: Finding,
  path: (string | number)[] = [],
): void {
  context.addIssue({ code: 'custom', message, params: { remedy }, path })
}

/** Longest short text, in characters: names, versions, labels. */
export const maxLineCharacters = 1024

/** Longest text of any kind, in characters: instructions, templates, commands' arguments. */
export const maxTextCharacters = 256 * 1024

/** Text of one line or many. */
export const longText = () => z.string().max(maxTextCharacters).superRefine(rule(noNul))

/** Text that is not empty, on one line. */
export const line = () => z.string().min(1).max(maxLineCharacters).superRefine(rule(noControl))

export const wholeNumber = (least: number, most: number) => z.int().min(least).max(most)

/** Text keys and text values that mean nothing to AEGIS. */
export const freeTexts = () =>
  z.record(z.string().min(1).max(maxLineCharacters), z.string().max(maxTextCharacters))

/** A size; see `parseSize`. Bounds in bytes. */
export const sizeText = (leastBytes: number, mostBytes: number) =>
  z
    .string()
    .trim()
    .superRefine(
      rule((text) => {
        const bytes = attempt(() => parseSize(text))
        if (bytes === undefined) {
          return {
            message: `${quote(text)} is not a size.`,
            remedy: `Write ${sizeSyntax}, for example 512Mi.`,
          }
        }
        if (bytes >= leastBytes && bytes <= mostBytes) return undefined
        const meant = /^\d+$/.test(text) && Number(text) > 0 ? ` (did you mean ${text}Mi?)` : ''
        return {
          message: `${text} is ${bytes < leastBytes ? 'too small' : 'too large'}.`,
          remedy: `Use ${formatSize(leastBytes)} to ${formatSize(mostBytes)}${meant}.`,
        }
      }),
    )

/** A duration; see `parseDuration`. Bounds in milliseconds. */
export const durationText = (leastMs: number, mostMs: number) =>
  z
    .string()
    .trim()
    .superRefine(
      rule((text) => {
        const ms = attempt(() => parseDuration(text))
        if (ms === undefined) {
          return {
            message: `${quote(text)} is not a duration.`,
            remedy: `Write ${durationSyntax}, for example 300s.`,
          }
        }
        if (ms >= leastMs && ms <= mostMs) return undefined
        return {
          message: `${text} is ${ms < leastMs ? 'too short' : 'too long'}.`,
          remedy: `Use ${formatDuration(leastMs)} to ${formatDuration(mostMs)}.`,
        }
      }),
    )

/** An absolute path of the host, normalised; a slash at its end is dropped. */
export const hostPath = () =>
  z
    .string()
    .max(4096)
    .transform((path) => (path.length > 1 ? path.replace(/\/$/, '') : path))
    .superRefine(rule(checkHostPath))

function checkHostPath(path: string): Finding | undefined {
  const shown = quote(path)
  if (/[*?[\]{}]/.test(path)) {
    return {
      message: `${shown} holds a pattern.`,
      remedy: 'Name a folder; all below it is included.',
    }
  }
  if (!path.startsWith('/')) {
    return { message: `${shown} is not an absolute path.`, remedy: 'Begin it with /.' }
  }
  if (path === '/') {
    return { message: 'The whole host cannot be shared.', remedy: 'Name the folders it needs.' }
  }
  if (path.split('/').some((part, index) => index > 0 && /^\.{0,2}$/.test(part))) {
    return {
      message: `${shown} is not normalised.`,
      remedy: 'Write it without //, . and .. parts.',
    }
  }
  return noControl(path)
}

/** The name of a variable in an agent's environment. */
export function checkEnvName(name: string): Finding | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
    return {
      message: `${quote(name)} is not the name of a variable.`,
      remedy: 'Use letters, digits and _, not beginning with a digit (at most 128).',
    }
  }
  if (!name.toUpperCase().startsWith('AEGIS_')) return undefined
  return {
    message: `${name} is reserved: AEGIS sets the variables that begin with AEGIS_.`,
    remedy: 'Choose another name.',
  }
}

export function noNul(text: string): Finding | undefined {
  if (!text.includes('\0')) return undefined
  return { message: 'It holds a NUL character.', remedy: 'Remove it, or encode it as base64.' }
}

export function noControl(text: string): Finding | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  if (!/[\u0000-\u001f\u007f-\u009f]/.test(text)) return undefined
  return {
    message: 'It holds a line break or another control character.',
    remedy: 'Write it on one line.',
  }
}

function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action()
  } catch (error) {
    if (error instanceof AegisError) return undefined
    throw error
  }
}
