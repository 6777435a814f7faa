/**
 * The line of the fault in a text that is not JSON, from 1. The parser itself tells the place only
 * for some faults, and it quotes the text, which may hold secrets.
 */
export function lineOfJsonFault(text: string): number {
  const lines = text.split('\n')
  let [sound, faulty] = [0, lines.length]
  while (faulty - sound > 1) {
    const middle = (sound + faulty) >> 1
    if (mayGoOn(`${lines.slice(0, middle).join('\n')}\n`)) sound = middle
    else faulty = middle
  }
  return faulty
}

/** Whether nothing is wrong with the beginning of a text but that it ends. */
function mayGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning)
    return true
  } catch (error) {
    const message = error instanceof Error ? error.message : ''
    if (message === 'Unexpected end of JSON input') return true
    return Number(/at position (\d+)/.exec(message)?.[1]) >= beginning.length
  }
}
