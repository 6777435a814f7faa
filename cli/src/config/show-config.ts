import { formatNodeConfig, redactNodeConfig } from '@aegis/core'
import { discoverConfig } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'

export const showConfig: CommandHandler<{ readonly paths?: boolean }> = async (
  { terminal, settings, env, cwd },
  _,
  { paths },
) => {
  const { home, configPath: explicit } = settings
  const { config, source, searched } = await discoverConfig({ explicit, env, cwd, home })
  if (paths) {
    if (terminal.json) terminal.document({ source, searched })
    else {
      for (const path of searched) {
        terminal.line(path === source ? `${terminal.style.good('*')} ${path}` : `  ${path}`)
      }
      if (source === 'built-in') terminal.line(`${terminal.style.good('*')} built-in defaults`)
    }
    return exitCodes.success
  }
  const redacted = redactNodeConfig(config)
  if (terminal.json) terminal.document(redacted)
  else {
    terminal.line(terminal.style.dim(`# ${source === 'built-in' ? 'built-in defaults' : source}`))
    terminal.write(formatNodeConfig(redacted))
  }
  return exitCodes.success
}
