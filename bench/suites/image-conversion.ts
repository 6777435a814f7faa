import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openEngineClient, parseEngineEndpoint, saveImage } from '@aegis/runtime-docker'
import { convertArchive } from '@aegis/runtime-firecracker'
import * as z from 'zod'
import { whyNoEngine } from '../../tests/engine/requirements.ts'
import { openTestEngine } from '../../tests/engine/test-engine.ts'
import { type Benchmark, type Figure, median, ms, takeTurns } from '../measure.ts'

const never = new AbortController().signal
const rounds = 5
const architecture = arch() === 'x64' ? 'amd64' : arch()

export const benchmark: Benchmark = {
  title: 'Image conversion',
  about:
    'Making the disk of a micro-VM from an image of the engine, digests checked and synced to the disk, over `docker export` of the same image into a file; between them, what `docker save` alone takes, which the conversion reads.',
  async run() {
    const why = whyNoEngine()
    if (why !== undefined) return [{ name: 'image conversion', value: `not measured: ${why}` }]
    await using engine = await openTestEngine()
    using client = openEngineClient(parseEngineEndpoint(engine.host))
    const directory = await mkdtemp(join(tmpdir(), 'aegis-bench-images-'))
    const figures: Figure[] = []
    try {
      for (const name of ['python', 'node'] as const) {
        const reference = await engine.image(name)
        const { Id: id } = await client.call(
          z.object({ Id: z.string() }),
          { method: 'GET', path: `/images/${encodeURIComponent(reference)}/json` },
          never,
        )
        const { Id: container } = await client.call(
          z.object({ Id: z.string() }),
          { method: 'POST', path: '/containers/create', body: { Image: id, Cmd: ['x'] } },
          never,
        )
        const toFile = async (archive: AsyncIterable<Uint8Array>) => {
          const path = join(directory, 'out.tar')
          await pipeline(archive, createWriteStream(path))
          await rm(path)
        }
        const convert = async () => {
          const work = await mkdtemp(join(directory, 'work-'))
          const archive = await saveImage(client, id, never)
          await convertArchive({ archive, directory: work, image: id, architecture }, never)
          await rm(work, { recursive: true })
        }
        const save = async () => toFile(await saveImage(client, id, never))
        const path = `/containers/${container}/export`
        const exporting = async () => toFile(await client.download({ method: 'GET', path }, never))
        const [converts = [], saves = [], exports = []] = await takeTurns(rounds, [
          convert,
          save,
          exporting,
        ])
        const [made, saved, exported] = [median(converts), median(saves), median(exports)]
        const ratio = made / exported
        figures.push(
          { name: `${name}: disk made`, value: ms(made), ratio, goal: '≤ 1.5', met: ratio <= 1.5 },
          { name: `${name}: docker save`, value: ms(saved), ratio: saved / exported },
          { name: `${name}: docker export`, value: ms(exported) },
        )
        await client.run({ method: 'DELETE', path: `/containers/${container}` }, never)
      }
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
    return figures
  },
}
