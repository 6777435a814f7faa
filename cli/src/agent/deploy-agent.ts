import { deployResultToWire } from '@aegis/http-contract'
import { namePinned } from '../image/name-image.ts'
import { loadSigned } from '../input/load-signed.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatBytes } from '../terminal/format.ts'
import { noteWarnings } from '../terminal/note-warnings.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { deployShown } from './deploy-shown.ts'

export const deployAgent: CommandHandler<{
  readonly replace?: boolean
  readonly validateOnly?: boolean
}> = async (context, [path = ''], options) => {
  const { terminal } = context
  const { manifest, signed } = await loadSigned(path, context)
  const { name, version } = manifest.metadata
  if (options.validateOnly) {
    const { files, bytes } = contextSize(manifest.spec.context)
    if (terminal.json) terminal.document({ valid: true, name, version, context_files: files })
    else {
      const extra =
        files === 0 ? '' : `, with ${count(files, 'context file')} of ${formatBytes(bytes)}`
      terminal.line(
        `${sanitiseLine(path)} is valid: agent ${name} ${sanitiseLine(version)}${extra}`,
      )
    }
    return exitCodes.success
  }

  await using connection = await context.connect()
  const { agents } = connection.controlPlane
  const replace = options.replace === true
  const result = await deployShown(context, agents, manifest, { replace, signed })
  if (result === 'interrupted') return exitCodes.interrupted
  const { id, revision, changed, image, warnings } = result
  if (terminal.json) {
    terminal.document({ ...deployResultToWire(result), name })
    return exitCodes.success
  }
  noteWarnings(terminal, warnings)
  const what = changed ? 'Deployed' : 'Nothing changed:'
  terminal.line(`${what} agent ${terminal.style.bold(name)} revision ${revision}`)
  terminal.line(`Id: ${id}`)
  if (image !== undefined) terminal.line(`Image: ${sanitiseLine(namePinned(image))}`)
  terminal.line(terminal.style.dim(`Run it: aegis task execute ${name} --input "..." --wait`))
  return exitCodes.success
}

function contextSize(context: readonly { readonly type: string; readonly content?: string }[]): {
  readonly files: number
  readonly bytes: number
} {
  const bytes = context.reduce((sum, entry) => sum + Buffer.byteLength(entry.content ?? ''), 0)
  return { files: context.length, bytes }
}
