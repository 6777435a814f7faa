import { AegisError, Secret } from '@aegis/core'
import type { Terminal } from '../terminal/terminal.ts'

export type HiddenAnswer = Secret | 'interrupted'

/** What a terminal is to be read from, as far as it is needed here. */
export interface KeyboardStream {
  readonly isTTY?: boolean
  setRawMode(raw: boolean): unknown
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  once(event: 'end', listener: () => void): unknown
  off(event: 'data', listener: (chunk: Buffer) => void): unknown
  off(event: 'end', listener: () => void): unknown
  resume(): unknown
  pause(): unknown
}

const maxCharacters = 64 * 1024

/**
 * Asks on stderr and reads a line from the terminal, of which nothing is shown; undefined where stdin
 * is no terminal.
 * @throws AegisError `invalid` / `input.size`
 */
export async function askHidden(
  question: string,
  { terminal, stdin }: { readonly terminal: Terminal; readonly stdin: KeyboardStream },
): Promise<HiddenAnswer | undefined> {
  if (stdin.isTTY !== true) return undefined
  terminal.writeNote(`${question}: `)
  stdin.setRawMode(true)
  try {
    return await readHidden(stdin)
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    terminal.writeNote('\n')
  }
}

async function readHidden(stdin: KeyboardStream): Promise<HiddenAnswer> {
  const decoder = new TextDecoder()
  const typed: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<HiddenAnswer>()
  const onData = (chunk: Buffer) => {
    // Arrows and other keys that say more than a letter.
    if (chunk[0] === 0x1b) return
    for (const key of decoder.decode(chunk, { stream: true })) {
      const answer = press(key, typed)
      // What is left of the chunk was pasted after a line break, and belongs to nobody.
      if (answer !== undefined) return resolve(answer)
    }
    if (typed.length > maxCharacters) reject(tooLong())
  }
  const onEnd = () => resolve('interrupted')
  stdin.on('data', onData)
  stdin.once('end', onEnd)
  stdin.resume()
  try {
    return await promise
  } finally {
    stdin.off('data', onData)
    stdin.off('end', onEnd)
  }
}

function press(key: string, typed: string[]): HiddenAnswer | undefined {
  switch (key) {
    case '\r':
    case '\n':
      return new Secret(typed.join(''))
    case '\u0003': // Ctrl-C, which is no signal while nothing is shown.
    case '\u0004': // Ctrl-D
      return 'interrupted'
    case '\b':
    case '\u007f':
      typed.pop()
      return undefined
    case '\u0015': // Ctrl-U
      typed.length = 0
      return undefined
    default:
      if (key === '\t' || key >= ' ') typed.push(key)
      return undefined
  }
}

const tooLong = (): AegisError =>
  new AegisError('invalid', 'input.size', 'What was typed is longer than 64 KiB')
