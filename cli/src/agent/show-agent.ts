import type { AgentSummary } from '@aegis/core'
import { namePinned } from '../image/name-image.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { sanitise, sanitiseLine } from '../terminal/sanitise.ts'

/**
 * The manifest goes out as it is where a file receives it, so that it can be deployed again; what
 * the deploy pinned is a comment above it.
 */
export const showAgent: CommandHandler<{ readonly revision?: number }> = async (
  context,
  [agent = ''],
  options,
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const manifest = await agents.manifest(agent, options.revision)
  if (terminal.json) {
    terminal.document(manifest)
    return exitCodes.success
  }
  const { formatManifest } = await import('@aegis/core')
  const text = `${pinComment(await agents.find(agent), options.revision)}${formatManifest(manifest)}`
  terminal.write(terminal.outIsTerminal ? sanitise(text) : text)
  return exitCodes.success
}

/** Only the current revision's image is known to those who ask. */
function pinComment({ image, revision }: AgentSummary, asked: number = revision): string {
  if (image === undefined || asked !== revision) return ''
  return `# Image of revision ${revision}: ${sanitiseLine(namePinned(image))}\n`
}
