import { AegisError, type Image, type ImageSummary, type PruneResult } from '@aegis/core'
import { pruneResultToWire } from '@aegis/http-contract'
import type { CommandContext, CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatBytes } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { renderTable } from '../terminal/table.ts'
import { imageColumns } from './list-images.ts'
import { nameImage, shortImageId } from './name-image.ts'

export const pruneImages: CommandHandler<{ readonly yes?: boolean }> = async (
  context,
  _,
  { yes = false },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const { images } = connection.controlPlane
  if (!yes) {
    const doomed = (await images.list()).filter(
      ({ pulled, disk, agents }) => (pulled || disk) && !agents.length,
    )
    if (doomed.length > 0 && !(await isConfirmed(context, doomed))) {
      terminal.note('Nothing was removed.')
      return exitCodes.success
    }
  }
  const result = await images.prune()
  if (terminal.json) {
    terminal.document(pruneResultToWire(result))
    return exitCodes.success
  }
  for (const image of result.removed) terminal.line(`Removed ${shown(image)}`)
  for (const { image, reason } of result.kept) {
    terminal.line(`Kept ${shown(image)}: ${sanitiseLine(reason)}`)
  }
  terminal.line(summary(result))
  return exitCodes.success
}

const shown = (image: Image): string =>
  sanitiseLine(`${nameImage(image)} (${shortImageId(image.id)})`)

function summary({ removed, freedBytes, kept }: PruneResult): string {
  if (removed.length > 0)
    return `Freed ${formatBytes(freedBytes)} of ${count(removed.length, 'image')}`
  if (kept.length > 0) return 'Nothing was removed.'
  return 'Nothing to remove: agents need every image that this node fetched.'
}

/** Of an image that is not the node's own, only its disk goes. */
const bytesOf = ({ pulled, sizeBytes, disk }: ImageSummary): number =>
  (pulled && disk?.alone !== true ? sizeBytes : 0) + (disk?.sizeBytes ?? 0)

/** @throws AegisError `invalid` / `confirmation.missing` where nobody can be asked */
async function isConfirmed(
  { terminal, confirm }: CommandContext,
  doomed: readonly ImageSummary[],
): Promise<boolean> {
  const { columns, style } = terminal
  const bytes = doomed.reduce((sum, image) => sum + bytesOf(image), 0)
  const what = `${count(doomed.length, 'image')}, up to ${formatBytes(bytes)}`
  if (!terminal.json) {
    terminal.note('No agent needs these images any more:')
    const table = imageColumns(style, Date.now(), doomed).filter(({ title }) =>
      /REF|ID|SIZE|DISK|AGE$/.test(title),
    )
    terminal.note(renderTable(table, doomed, { columns, title: style.dim }))
  }
  const answer = await confirm(`Remove ${what}?`)
  if (answer !== undefined) return answer
  throw new AegisError(
    'invalid',
    'confirmation.missing',
    `Nobody can be asked whether ${what}, may go`,
    { details: { help: 'say so beforehand: aegis image prune --yes' } },
  )
}
