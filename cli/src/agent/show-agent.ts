import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitise } from '../terminal/sanitise.ts'

/** The manifest goes out as it is where a file receives it, so that it can be deployed again. */
export const showAgent: CommandHandler<{ readonly revision?: number }> = async (
  context,
  [agent = ''],
  options,
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const manifest = await connection.controlPlane.agents.manifest(agent, options.revision)
  if (terminal.json) {
    terminal.document(manifest)
    return exitCodes.success
  }
  const { formatManifest } = await import('@aegis/core')
  const text = formatManifest(manifest)
  terminal.write(terminal.outIsTerminal ? sanitise(text) : text)
  return exitCodes.success
}
