import { kernelTools } from '@aegis/daemon'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { kernelToJson, shortDigest } from './describe-kernel.ts'

export const useKernel: CommandHandler<object> = async (
  { terminal, settings, cwd },
  [named = ''],
) => {
  const tools = await kernelTools(settings.home)
  const { record, notices } = await tools.use(named, cwd)
  if (terminal.json) {
    terminal.document({ ...kernelToJson(record), current: true, notices })
    return exitCodes.success
  }
  for (const notice of notices) terminal.note(sanitiseLine(notice))
  const name = terminal.style.bold(sanitiseLine(record.name))
  terminal.line(
    `Micro-VMs boot ${name} (Linux ${sanitiseLine(record.linux)}, ${shortDigest(record)}) from now on.`,
  )
  return exitCodes.success
}
