/** A rendered prompt in two: what the manifest says, and what the user gave. */
export interface FoundInput {
  readonly instruction: string
  readonly input: string
}

const label =
  /(?:^|\n)[ \t#*]*(?:user(?:'s)? )?(?:input|request|message|task|topic|text|question|motion|name|word|words)[ \t*]*:[ \t*]*/i
const closing =
  /\n\s*\n(?=\s*(?:respond|reply|answer|return|output|only|do not|don't|remember|write|print|use|now)\b)/i

/** Stands between the account of earlier iterations and the prompt, as the bootstrap writes it. */
const history = /^## Previous iterations\n[\s\S]*?\n## Task\n+/

/**
 * Guesses where the input begins: after the first label such as `Input:`; failing that, at the last
 * paragraph; failing that, after the first colon. A prompt of one piece is both.
 */
export function findAgentInput(prompt: string): FoundInput {
  const text = prompt.trim().replace(history, '')
  const found = label.exec(text)
  if (found !== null) {
    const rest = text.slice(found.index + found[0].length)
    const end = closing.exec(rest)
    const input = unquote(end === null ? rest : rest.slice(0, end.index))
    if (input !== '') {
      const after = end === null ? '' : rest.slice(end.index)
      return { instruction: text.slice(0, found.index) + after || text, input }
    }
  }
  const paragraph = text.lastIndexOf('\n\n')
  if (paragraph >= 0) return split(text, paragraph, paragraph + 2)
  const line = text.lastIndexOf('\n')
  if (line >= 0) return split(text, line, line + 1)
  const colon = text.indexOf(': ')
  if (colon >= 0) return split(text, colon, colon + 2)
  return { instruction: text, input: unquote(text) }
}

const split = (text: string, to: number, from: number): FoundInput => ({
  instruction: text.slice(0, to),
  input: unquote(text.slice(from)),
})

/** Without the marks that templates put around an input. */
function unquote(text: string): string {
  const bare = text.trim()
  const quoted = /^(["'`]|"""|```)([\s\S]*)\1$/.exec(bare)
  return quoted?.[2]?.trim() ?? bare
}
