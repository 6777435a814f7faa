import { sanitiseLine } from './sanitise.ts'
import type { Terminal } from './terminal.ts'

/** What the node said about a deploy that it accepted nevertheless, on stderr. */
export function noteWarnings(terminal: Terminal, warnings: readonly string[]): void {
  for (const warning of warnings) {
    terminal.note(`${terminal.noteStyle.warning('warning:')} ${sanitiseLine(warning)}`)
  }
}
