/** Puts console output, which arrives in pieces of any length, together into lines. */
export interface LineAssembler {
  /** The lines that `text` completes. */
  add(text: string): readonly string[]
  /** What is left without a line feed. */
  rest(): readonly string[]
}

/** A line that never ends is cut, so that an agent cannot fill this process's memory. */
const longestLine = 16 * 1024

export function makeLineAssembler(): LineAssembler {
  let pending = ''
  return {
    add(text) {
      const lines = (pending + text).split('\n')
      pending = lines.pop() ?? ''
      while (pending.length > longestLine) {
        const end = cutBetweenCharacters(pending)
        lines.push(pending.slice(0, end))
        pending = pending.slice(end)
      }
      return lines
    },
    rest() {
      const last = pending
      pending = ''
      return last === '' ? [] : [last]
    },
  }
}

function cutBetweenCharacters(text: string): number {
  const last = text.charCodeAt(longestLine - 1)
  return last >= 0xd800 && last <= 0xdbff ? longestLine - 1 : longestLine
}
