import type { ExecutionEvent } from '@aegis/core'
import { makePullReport, type PullReport } from '../image/pull-report.ts'
import { type Progress, showProgress } from '../terminal/progress.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { ExecutionLog } from './execution-log.ts'

/** Prints logs; below them, a line that lives while an image is fetched. */
export interface LogView extends Disposable {
  add(log: ExecutionLog, event: ExecutionEvent): void
  /** The end of the stream. */
  end(log: ExecutionLog): void
}

export interface LogViewOptions {
  readonly terminal: Terminal
  readonly print: (line: string) => void
  /** `print` writes to a terminal, and somebody watches it. */
  readonly isLive: boolean
}

export function openLogView({ terminal, print, isLive }: LogViewOptions): LogView {
  const reports = new WeakMap<ExecutionLog, PullReport>()
  let line: Progress | undefined
  const clear = (): void => {
    line?.[Symbol.dispose]()
    line = undefined
  }
  const reportOf = (log: ExecutionLog): PullReport => {
    const report = reports.get(log) ?? makePullReport()
    reports.set(log, report)
    return report
  }
  return {
    add(log, event) {
      if (isLive && terminal.interactive && event.type === 'execution.image-pulling') {
        const text = sanitiseLine(reportOf(log).now(event.progress, Date.parse(event.at)))
        if (line === undefined) line = showProgress(terminal, text)
        else line.update(text)
        return
      }
      clear()
      for (const text of log.add(event)) print(text)
    },
    end(log) {
      clear()
      for (const text of log.end()) print(text)
    },
    [Symbol.dispose]: clear,
  }
}
