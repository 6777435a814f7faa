import { AegisError } from './aegis-error.ts'

const units: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
  ['K', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
])

/** How sizes are written, for remedies and reference pages. */
export const sizeSyntax = 'a whole number with Ki, Mi, Gi or Ti (or K, M, G, T, KB, MB, GB, TB)'

/**
 * Bytes of a size such as `512Mi` (binary), `2G` or `2GB` (decimal), or plain bytes. White space
 * around it is ignored; nothing else is: a size that cannot be read never means "no limit".
 * @throws AegisError `invalid` / `size.invalid`
 */
export function parseSize(size: string | number): number {
  const [, digits, suffix] = /^(\d{1,16})([KMGT](?:i|B)?)?$/.exec(String(size).trim()) ?? []
  const unit = units.get(suffix ?? '')
  const bytes = digits === undefined || unit === undefined ? Number.NaN : Number(digits) * unit
  if (Number.isSafeInteger(bytes)) return bytes
  throw new AegisError(
    'invalid',
    'size.invalid',
    `"${size}" is not a size. Write ${sizeSyntax}, for example 512Mi.`,
  )
}

/** The shortest exact form with a binary unit: `512Mi`, `1536Mi`, or plain bytes. */
export function formatSize(bytes: number): string {
  for (const suffix of ['Ti', 'Gi', 'Mi', 'Ki']) {
    const unit = units.get(suffix) ?? 1
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit}${suffix}`
  }
  return String(bytes)
}
