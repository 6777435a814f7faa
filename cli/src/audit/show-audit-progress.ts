import type { AuditProgress } from '@aegis/core'
import { type Progress, showProgress } from '../terminal/progress.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Shows on stderr how far work on the log is, until disposed. */
export function showAuditProgress(
  terminal: Terminal,
  verb: string,
): Disposable & { readonly onProgress: (progress: AuditProgress) => void } {
  let line: Progress | undefined
  return {
    onProgress({ checked, size }) {
      const percent = size === 0 ? 100 : Math.floor((100 * checked) / size)
      const text = `${verb} ${checked} of ${size} entries (${percent} %)`
      if (line === undefined) line = showProgress(terminal, text)
      else line.update(text)
    },
    [Symbol.dispose]: () => line?.[Symbol.dispose](),
  }
}
