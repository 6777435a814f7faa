import { sanitiseLine } from './sanitise.ts'
import type { Terminal } from './terminal.ts'

/** `Name   value` lines; what is undefined is left out. */
export function printFacts(
  terminal: Terminal,
  facts: readonly (readonly [name: string, value: string | undefined])[],
): void {
  const known = facts.filter(([, value]) => value !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  for (const [name, value = ''] of known) {
    terminal.line(`${terminal.style.dim(name.padEnd(width))}  ${sanitiseLine(value)}`)
  }
}
