import { cut } from './cut.ts'
import type { Terminal } from './terminal.ts'

/** A line on stderr that says what is going on; nothing where nobody looks. */
export interface Progress extends Disposable {
  update(text: string): void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const frameMs = 100
/** The frame, the space behind it, and room for the cursor and for the echo of Ctrl-C. */
const frameColumns = 5

/** `text` must be safe to show. Dispose it before anything else is written to the terminal. */
export function showProgress(terminal: Terminal, text: string): Progress {
  if (!terminal.interactive || terminal.json)
    return { update: () => {}, [Symbol.dispose]: () => {} }
  let current = text
  let frame = 0
  let isOver = false
  const draw = () => {
    // A line that wrapped could not be wiped again.
    const fitting = cut(current, terminal.noteColumns - frameColumns)
    terminal.writeNote(`\r\x1b[2K${terminal.noteStyle.accent(frames[frame] ?? '')} ${fitting}`)
    frame = (frame + 1) % frames.length
  }
  draw()
  const timer = setInterval(draw, frameMs)
  return {
    update(next) {
      current = next
    },
    [Symbol.dispose]() {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      terminal.writeNote('\r\x1b[2K')
    },
  }
}
