import { homeAt } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { tailLog } from './daemon-log.ts'

export const daemonLogs: CommandHandler<{ readonly lines: number }> = async (
  { terminal, settings },
  _,
  { lines },
) => {
  const { daemonLog } = homeAt(settings.home)
  const found = await tailLog(daemonLog, lines)
  for (const line of found) {
    if (terminal.json) terminal.item({ line })
    else terminal.line(sanitiseLine(line))
  }
  if (found.length === 0 && !terminal.json) {
    terminal.note(`There is no log yet at ${daemonLog}. Start the daemon: aegis daemon start`)
  }
  return exitCodes.success
}
