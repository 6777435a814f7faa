import { imageToWire } from '@aegis/http-contract'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatBytes, formatMs } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { shortImageId } from './name-image.ts'
import { showPull } from './show-pull.ts'

/** With JSON, lines as the stream of the HTTP API has them: `progress` …, then `pulled`. */
export const pullImage: CommandHandler<{ readonly quiet?: boolean }> = async (
  context,
  [reference = ''],
  { quiet = false },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  using shown = showPull(terminal)
  const startedMs = performance.now()
  const image = await untilInterrupted(context, (signal) =>
    connection.controlPlane.images.pull(
      reference,
      (progress) => {
        if (quiet) return
        if (terminal.json) terminal.item({ progress })
        else shown.onProgress(progress)
      },
      signal,
    ),
  )
  shown[Symbol.dispose]()
  if (image === 'interrupted') return exitCodes.interrupted
  if (terminal.json) terminal.item({ pulled: imageToWire(image) })
  else if (quiet) terminal.line(sanitiseLine(image.id))
  else {
    const took = formatMs(performance.now() - startedMs)
    const facts = `${formatBytes(image.sizeBytes)}, id ${shortImageId(image.id)}, ${took}`
    terminal.line(`Pulled ${terminal.style.bold(sanitiseLine(reference))} (${sanitiseLine(facts)})`)
    const [digest] = image.digests
    if (digest !== undefined) terminal.line(`Digest: ${sanitiseLine(digest)}`)
  }
  return exitCodes.success
}
