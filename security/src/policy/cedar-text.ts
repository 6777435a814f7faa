/** One statement of a Cedar file. */
export interface Statement {
  /** Position of its first character in the file. */
  readonly start: number
  readonly text: string
}

/**
 * Cuts a file of Cedar into its policies. Comments between them are left out; what stands behind
 * the last semicolon is a statement of its own, so that nothing is silently skipped.
 */
export function splitStatements(text: string): readonly Statement[] {
  const statements: Statement[] = []
  let start: number | undefined
  let at = 0
  while (at < text.length) {
    const end = tokenEnd(text, at)
    const token = text.slice(at, end)
    const isBlank = /^\s/.test(token) || token.startsWith('//')
    if (!isBlank) start ??= at
    if (token === ';' && start !== undefined) {
      statements.push({ start, text: text.slice(start, end) })
      start = undefined
    }
    at = end
  }
  if (start !== undefined) statements.push({ start, text: text.slice(start) })
  return statements
}

/** Where the comment, string or character ends that begins here. */
function tokenEnd(text: string, at: number): number {
  if (text.startsWith('//', at)) {
    const end = text.slice(at).search(/[\n\r]/)
    return end < 0 ? text.length : at + end
  }
  if (text[at] !== '"') return at + 1
  for (let end = at + 1; end < text.length; end += 1) {
    if (text[end] === '\\') end += 1
    else if (text[end] === '"') return end + 1
  }
  return text.length
}

/** Line and column, both counted from 1, of a position in a text. */
export function placeOf(
  text: string,
  position: number,
): { readonly line: number; readonly column: number } {
  const before = text.slice(0, position).split(/\r\n|\n|\r/)
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

/** The position in a text of a byte of its UTF-8 form, in which Cedar counts. */
export const positionOfByte = (text: string, byte: number): number =>
  Buffer.from(text).subarray(0, byte).toString().length
