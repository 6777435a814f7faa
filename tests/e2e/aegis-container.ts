import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { eventually } from '../chaos/eventually.ts'
import type { Engine } from '../engine/test-engine.ts'
import type { AegisCommand, Ran } from './aegis-command.ts'
import { nodeInImage } from './aegis-image.ts'
import { hostConfigOf, readComposeService } from './compose-service.ts'
import { testImages } from './docker-command.ts'
import { runInContainer } from './run-in-container.ts'

/** AEGIS as compose.yaml runs it, with a volume of its own as its home. */
export interface AegisContainer extends AsyncDisposable, Pick<AegisCommand, 'run' | 'write'> {
  readonly name: string
  /** Where its home is. */
  readonly volume: string
  /** Any command inside, as AEGIS's user. */
  exec(...command: readonly string[]): Promise<Ran>
  inspect(): Promise<Inspection>
  /** Resolves once the image's own health check says so of the process that runs now. */
  untilHealthy(): Promise<void>
  /** SIGTERM, and SIGKILL after the time that compose.yaml gives. */
  stop(): Promise<void>
}

const inspection = z.object({
  RestartCount: z.int(),
  Config: z.object({ Healthcheck: z.object({ Test: z.array(z.string()) }) }),
  State: z.object({
    Pid: z.int(),
    ExitCode: z.int(),
    Running: z.boolean(),
    Health: z.object({ Status: z.string() }).optional(),
  }),
})
export type Inspection = z.infer<typeof inspection>

const configInImage = '/etc/aegis/config.yaml'
const packaged = fileURLToPath(new URL('../../packaging/node-config.yaml', import.meta.url))
/** In nanoseconds: less than the ten seconds of the image, and enough to leave time for the rest. */
const healthInterval = 1_500_000_000

/** Starts AEGIS from its image; it may not be ready yet. */
export async function openAegisContainer(engine: Engine, image: string): Promise<AegisContainer> {
  const name = `aegis-${randomUUID().slice(0, 8)}`
  const volume = `${name}_home`
  const folder = await mkdtemp(join(tmpdir(), 'aegis-container-'))
  const container = `/containers/${name}`
  const remove = async () => {
    await engine.call('DELETE', container, { query: { force: '1' } }).catch(() => undefined)
    await engine.call('DELETE', `/volumes/${volume}`).catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
  const exec = (...command: readonly string[]) => runInContainer(engine, name, command)
  const inspect = async () =>
    inspection.parse(JSON.parse(await engine.call('GET', `${container}/json`)))
  try {
    const config = join(folder, 'config.yaml')
    await writeFile(config, await configWithTestImages())
    const { gid } = await stat(engine.socketPath)
    const service = await readComposeService({
      DOCKER_SOCKET: engine.socketPath,
      DOCKER_GID: String(gid),
    })
    const volumes = service.volumes.map((entry) => entry.replace(/^home:/, `${volume}:`))
    const mounts = [`${process.execPath}:${nodeInImage}:ro`, `${config}:${configInImage}:ro`]
    const body = {
      Image: image,
      Healthcheck: { Interval: healthInterval },
      StopTimeout: Number.parseInt(service.stop_grace_period, 10),
      HostConfig: { ...hostConfigOf(service), Binds: [...volumes, ...mounts] },
    }
    await engine.call('POST', '/containers/create', { query: { name }, body })
    await engine.call('POST', `${container}/start`)
  } catch (error) {
    await remove()
    throw error
  }
  return {
    name,
    volume,
    exec,
    inspect,
    run: (...args) => exec('aegis', ...args),
    async write(path, text) {
      const target = `/tmp/${path}`
      await exec('sh', '-c', 'printf %s "$2" > "$1"', 'sh', target, text)
      return target
    },
    async untilHealthy() {
      const isHealthy = async () =>
        (await inspect()).State.Health?.Status === 'healthy' ? true : undefined
      await eventually(isHealthy, 30_000)
    },
    async stop() {
      await engine.call('POST', `${container}/stop`)
    },
    [Symbol.asyncDispose]: remove,
  }
}

/** The packaged config, with images that tests have in the place of Docker Hub's. */
async function configWithTestImages(): Promise<string> {
  const config = parse(await readFile(packaged, 'utf8'))
  const runtime = { ...config.spec.runtime, images: testImages }
  return stringify({ ...config, spec: { ...config.spec, runtime } })
}
