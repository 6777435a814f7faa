import stringWidth from 'string-width'
import type { Terminal } from './terminal.ts'

/** Lines on stdout that are drawn again in place. Needs a terminal that `canRedraw`. */
export interface Screen {
  /** Replaces what was drawn before; lines that do not fit are left out, and long ones cut. */
  draw(lines: readonly string[]): void
}

const noWrap = '\x1b[?7l'
const wrap = '\x1b[?7h'
const clearLine = '\x1b[2K'
const clearBelow = '\x1b[J'
const upToStartOf = (rows: number): string => (rows > 0 ? `\x1b[${rows}F` : '')

export function makeScreen(terminal: Pick<Terminal, 'write' | 'columns' | 'rows'>): Screen {
  /** Columns that each line took when it was drawn. */
  let drawn: readonly number[] = []
  return {
    draw(lines) {
      const { columns, rows } = terminal
      const shown = lines.slice(0, Math.max(1, rows - 1))
      const body = shown.map((line) => `${clearLine}${line}\n`).join('')
      const up = upToStartOf(Math.min(rowsTaken(drawn, columns), rows - 1))
      // One write a frame: nothing half-drawn is ever seen.
      terminal.write(`${up}${noWrap}${body}${clearBelow}${wrap}`)
      drawn = shown.map((line) => Math.min(stringWidth(line), columns))
    },
  }
}

/** A terminal that was made narrower has wrapped what stood on it. */
function rowsTaken(widths: readonly number[], columns: number): number {
  return widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0)
}
