/** For what need not be there. */
export const isAbsence = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'

export function noneIfAbsent(error: unknown): string[] {
  if (isAbsence(error)) return []
  throw error
}

export function falseIfAbsent(error: unknown): false {
  if (isAbsence(error)) return false
  throw error
}
