/** Longest line of a stream, in characters. */
export const lineMaxCharacters = 1 << 20

/**
 * The JSON values of a stream of bytes, one a line as Docker sends them; a last line needs no end.
 * @throws RangeError a line is longer than `lineMaxCharacters` · SyntaxError it is not JSON
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncIterable<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end).trim()
      rest = rest.slice(end + 1)
      if (line !== '') yield JSON.parse(line)
    }
    if (rest.length > lineMaxCharacters)
      throw new RangeError(`a line of more than ${lineMaxCharacters} characters`)
  }
  const last = (rest + decoder.decode()).trim()
  if (last !== '') yield JSON.parse(last)
}
