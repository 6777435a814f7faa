import type { ImageSummary } from '@aegis/core'
import { imageSummaryToWire } from '@aegis/http-contract'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { count, formatBytes, formatSpan } from '../terminal/format.ts'
import type { Style } from '../terminal/style.ts'
import { type Column, renderTable } from '../terminal/table.ts'
import { nameImage, shortImageId } from './name-image.ts'

export const listImages: CommandHandler<{ readonly all?: boolean }> = async (
  context,
  _,
  { all = false },
) => {
  const { terminal } = context
  await using connection = await context.connect()
  const images = await connection.controlPlane.images.list({ all })
  if (terminal.json) {
    terminal.document(images.map(imageSummaryToWire))
  } else if (images.length === 0) {
    terminal.line(all ? 'The engine has no images.' : 'No agent uses an image yet.')
    terminal.line(terminal.style.dim('Fetch one: aegis image pull python:3.11'))
  } else {
    terminal.line(`${count(images.length, 'image')}:`)
    const { columns, style } = terminal
    terminal.line(
      renderTable(imageColumns(style, Date.now(), images), images, { columns, title: style.dim }),
    )
  }
  return exitCodes.success
}

/** Disks have columns where there are any: most nodes have no micro-VMs. */
export function imageColumns(
  style: Style,
  nowMs: number,
  images: readonly ImageSummary[],
): readonly Column<ImageSummary>[] {
  const disks: readonly Column<ImageSummary>[] = [
    {
      title: 'DISK',
      value: ({ disk }) => (disk === undefined ? '' : formatBytes(disk.sizeBytes)),
      align: 'right',
    },
    {
      title: 'VMS',
      value: ({ disk }) => (disk?.machines ? `${disk.machines}` : ''),
      align: 'right',
    },
  ]
  return [
    { title: 'REFERENCE', value: nameImage, paint: style.bold, flexible: true },
    { title: 'ID', value: ({ id }) => shortImageId(id) },
    {
      title: 'SIZE',
      value: ({ sizeBytes, disk }) => (disk?.alone === true ? '' : formatBytes(sizeBytes)),
      align: 'right',
    },
    ...(images.some(({ disk }) => disk !== undefined) ? disks : []),
    {
      title: 'AGE',
      // Images that are built to be the same again say that they are as old as Unix, or nothing.
      value: ({ createdAt }) =>
        Date.parse(createdAt) > 0 ? formatSpan(nowMs - Date.parse(createdAt)) : '',
      align: 'right',
    },
    { title: 'PULLED', value: ({ pulled }) => (pulled ? 'yes' : '') },
    { title: 'AGENTS', value: ({ agents }) => agents.join(', '), flexible: true },
  ]
}
