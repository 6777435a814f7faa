import { discoverConfig, homeAt } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { tailLog } from './daemon-log.ts'

export const daemonLogs: CommandHandler<{ readonly lines: number }> = async (
  { terminal, settings, env, cwd },
  _,
  { lines },
) => {
  const { home, configPath: explicit } = settings
  // A configuration that is wrong is just why somebody reads the log.
  const found = await discoverConfig({ explicit, env, cwd, home }).catch(() => undefined)
  const daemonLog = found?.config.spec.observability.logging.file ?? homeAt(home).daemonLog
  const tail = await tailLog(daemonLog, lines)
  for (const line of tail) {
    if (terminal.json) terminal.item({ line })
    else terminal.line(sanitiseLine(line))
  }
  if (tail.length === 0 && !terminal.json) {
    terminal.note(`There is no log yet at ${daemonLog}. Start the daemon: aegis daemon start`)
  }
  return exitCodes.success
}
