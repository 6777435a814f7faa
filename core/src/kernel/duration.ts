import { AegisError } from './aegis-error.ts'

const units: ReadonlyMap<string, number> = new Map([
  ['', 1000],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** How durations are written, for remedies and reference pages. */
export const durationSyntax = 'a whole number with s, m or h'

/**
 * Milliseconds of a duration such as `30s`, `5m`, `2h`, or plain seconds. White space around it is
 * ignored.
 * @throws AegisError `invalid` / `duration.invalid`
 */
export function parseDuration(duration: string | number): number {
  const [, digits, suffix] = /^(\d{1,12})([smh])?$/.exec(String(duration).trim()) ?? []
  const unit = units.get(suffix ?? '')
  const ms = digits === undefined || unit === undefined ? Number.NaN : Number(digits) * unit
  if (Number.isSafeInteger(ms)) return ms
  throw new AegisError(
    'invalid',
    'duration.invalid',
    `"${duration}" is not a duration. Write ${durationSyntax}, for example 300s.`,
  )
}

/** The shortest exact form, rounded up to whole seconds: `90s`, `5m`, `2h`. */
export function formatDuration(ms: number): string {
  const whole = Math.ceil(ms / 1000) * 1000
  for (const suffix of ['h', 'm']) {
    const unit = units.get(suffix) ?? 1000
    if (whole >= unit && whole % unit === 0) return `${whole / unit}${suffix}`
  }
  return `${whole / 1000}s`
}
