import { createInterface } from 'node:readline'
import type { Terminal } from '../terminal/terminal.ts'

/** Asks on stderr, reads from stdin; undefined unless both are a terminal. Only a yes is a yes. */
export async function confirm(
  question: string,
  {
    terminal,
    stdin,
  }: {
    readonly terminal: Terminal
    readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  },
): Promise<boolean | undefined> {
  if (stdin.isTTY !== true || !terminal.interactive || terminal.json) return undefined
  terminal.writeNote(`${question} [y/N] `)
  // Without `terminal`, so that Ctrl-C stays a signal, and the system's line editing is used.
  const lines = createInterface({ input: stdin, terminal: false })
  const answer = await new Promise<string>((resolve) => {
    lines.once('line', resolve)
    lines.once('close', () => resolve(''))
  })
  lines.close()
  return /^\s*y(es)?\s*$/i.test(answer)
}
