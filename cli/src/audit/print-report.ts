import type { AuditReport } from '@aegis/core'
import { printFacts } from '../terminal/print-facts.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function printReport(terminal: Terminal, report: AuditReport): void {
  const { origin, size, checked, dropped, checkpoint, unsigned, isSound, findings } = report
  const { style } = terminal
  terminal.line(
    isSound
      ? `${style.good('Sound:')} nothing was changed, lost or put in.`
      : `${style.bad('Not sound:')} this is not what was appended.`,
  )
  printFacts(terminal, [
    ['Log', origin],
    ['Entries', String(size)],
    ['Checked', `${checked} bodies, each against its hash`],
    ['Dropped', dropped === 0 ? undefined : `${dropped} bodies, by retention; their hashes hold`],
    ['Signed', checkpoint === undefined ? 'nothing yet' : `the first ${checkpoint.size}`],
    ['Unsigned', unsigned === 0 ? undefined : `${unsigned}, younger than the checkpoint`],
  ])
  for (const { message } of findings) terminal.line(`${style.bad('-')} ${sanitiseLine(message)}`)
}
