import { createReadStream } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { AegisError, type Image, type PullProgress } from '@aegis/core'
import { imageToWire } from '@aegis/http-contract'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandHandler } from '../program/command-context.ts'
import { exitCodes } from '../program/exit-code.ts'
import { formatBytes, formatMs } from '../terminal/format.ts'
import { sanitiseLine } from '../terminal/sanitise.ts'
import { nameImage, shortImageId } from './name-image.ts'
import { openLayout } from './open-layout.ts'
import { showPull } from './show-pull.ts'

/** With JSON, lines as the stream of the HTTP API has them: `progress` …, then `built`. */
export const buildImage: CommandHandler<{
  readonly from?: string
  readonly quiet?: boolean
}> = async (context, [reference], { from, quiet = false }) => {
  const { terminal } = context
  if (from === undefined && reference === undefined) throw nothingNamed()
  if (from === undefined && (await isArchive(reference))) throw archiveForName(reference)
  const archive = from === undefined ? undefined : await openArchive(from)
  await using connection = await context.connect()
  const { images } = connection.controlPlane
  using shown = showPull(terminal)
  const startedMs = performance.now()
  const onProgress = (progress: PullProgress) => {
    if (quiet) return
    if (terminal.json) terminal.item({ progress })
    else shown.onProgress(progress)
  }
  const image = await untilInterrupted(
    context,
    (signal): Promise<Image> =>
      archive === undefined
        ? images.prepare(reference ?? '', onProgress, signal)
        : images.build({ archive, name: reference }, onProgress, signal),
  )
  shown[Symbol.dispose]()
  if (image === 'interrupted') return exitCodes.interrupted
  if (terminal.json) terminal.item({ built: imageToWire(image) })
  else if (quiet) terminal.line(sanitiseLine(image.id))
  else {
    const took = formatMs(performance.now() - startedMs)
    const size = formatBytes(image.disk?.sizeBytes ?? image.sizeBytes)
    const facts = `disk of ${size}, id ${shortImageId(image.id)}, ${took}`
    const name = terminal.style.bold(sanitiseLine(reference ?? nameImage(image)))
    terminal.line(`Built ${name} (${sanitiseLine(facts)})`)
  }
  return exitCodes.success
}

/** No image is called like this, and a file here is. */
async function isArchive(reference = ''): Promise<boolean> {
  if (!/\.(tar|tgz|tar\.\w+)$/.test(reference)) return false
  const found = await stat(reference).catch(() => undefined)
  return found?.isFile() === true
}

const archiveForName = (path = ''): AegisError =>
  new AegisError(
    'invalid',
    'archive.for-name',
    `${path} is a file, and no image of a registry or an engine. To make a disk of the image in it: aegis image build --from ${path}`,
  )

async function openArchive(path: string): Promise<AsyncIterable<Uint8Array>> {
  if (path === '-') return process.stdin
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return openLayout(path)
  await access(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError('invalid', 'archive.unreadable', `The archive cannot be read: ${reason}`, {
      cause,
    })
  })
  return createReadStream(path, { highWaterMark: 1 << 20 })
}

const nothingNamed = (): AegisError =>
  new AegisError('invalid', 'image.unnamed', 'No image was named, and no archive', {
    details: {
      help: 'aegis image build python:3.11, or docker save NAME | aegis image build --from -',
    },
  })
