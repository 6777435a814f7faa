import { resolve } from 'node:path'
import { discoverConfig } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'

export const validateConfig: CommandHandler<object> = async (
  { terminal, settings, env, cwd },
  [file],
) => {
  const explicit = file === undefined ? settings.configPath : resolve(cwd, file)
  const { config, source } = await discoverConfig({ explicit, env, cwd, home: settings.home })
  const providers = config.spec.llm_providers.length
  if (terminal.json) terminal.document({ valid: true, source, providers })
  else {
    const what = source === 'built-in' ? 'There is no file; the built-in configuration' : source
    terminal.line(`${what} is valid`)
    if (providers === 0) terminal.line(terminal.style.dim('It names no model provider.'))
  }
  return exitCodes.success
}
