import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@aegis/core'
import * as z from 'zod'

/** Which images this node fetched, and by which names: these alone are its own to remove. */
export interface PulledImages {
  /** Undefined for an image that somebody else brought. */
  namesOf(id: string): Promise<readonly string[] | undefined>
  ids(): Promise<readonly string[]>
  /** Notes that an image was fetched by a name. Never throws: an image is worth more than a note. */
  add(id: string, name: string): Promise<void>
  forget(ids: readonly string[]): Promise<void>
}

/** Most images that are remembered; the oldest are forgotten first. */
export const maxPulledImages = 10_000

const fileSchema = z.strictObject({
  version: z.literal(1),
  images: z.record(z.string().max(255), z.array(z.string().max(512)).max(1_000)),
})

/** Keeps them in `pulled-images.json` of a directory; a damaged file counts as empty. */
export function openPulledImages(directory: string, logger: Logger): PulledImages {
  const path = join(directory, 'pulled-images.json')
  let loading: Promise<Map<string, readonly string[]>> | undefined
  let writing = Promise.resolve()

  const load = () => {
    loading ??= read(path, logger)
    return loading
  }
  const save = (images: ReadonlyMap<string, readonly string[]>): Promise<void> => {
    const text = JSON.stringify({ version: 1, images: Object.fromEntries(images) })
    writing = writing.then(() => write(directory, path, text, logger))
    return writing
  }

  return {
    namesOf: async (id) => (await load()).get(id),
    ids: async () => [...(await load()).keys()],
    async add(id, name) {
      const images = await load()
      const known = images.get(id) ?? []
      if (known.includes(name)) return
      images.set(id, [...known, name])
      const [oldest] = images.keys()
      if (images.size > maxPulledImages && oldest !== undefined) images.delete(oldest)
      await save(images)
    },
    async forget(ids) {
      const images = await load()
      const gone = ids.filter((id) => images.delete(id))
      if (gone.length > 0) await save(images)
    },
  }
}

async function read(path: string, logger: Logger): Promise<Map<string, readonly string[]>> {
  try {
    const { images } = fileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    return new Map(Object.entries(images))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      logger.warn({ path, err: error }, 'The list of pulled images is damaged; none is removed')
    return new Map()
  }
}

async function write(directory: string, path: string, text: string, logger: Logger): Promise<void> {
  const unfinished = `${path}.${process.pid}.part`
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeFile(unfinished, text, { mode: 0o600 })
    await rename(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined)
    logger.error({ path, err: error }, 'The list of pulled images cannot be written')
  }
}
