import type { PullProgress } from '@aegis/core'
import { type Progress, showProgress } from '../terminal/progress.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { makePullReport } from './pull-report.ts'

/** Shows a pull on stderr until disposed: one live line, or a line now and then. */
export interface ShownPull extends Disposable {
  readonly onProgress: (progress: PullProgress) => void
}

export function showPull(
  terminal: Terminal,
  monotonicMs: () => number = () => performance.now(),
): ShownPull {
  const report = makePullReport()
  let line: Progress | undefined
  return {
    onProgress(progress) {
      if (terminal.json) return
      if (!terminal.interactive) {
        const news = report.news(progress, monotonicMs())
        if (news !== undefined) terminal.note(sanitiseLine(news))
        return
      }
      const text = sanitiseLine(report.now(progress, monotonicMs()))
      if (line === undefined) line = showProgress(terminal, text)
      else line.update(text)
    },
    [Symbol.dispose]: () => line?.[Symbol.dispose](),
  }
}
