import { posix } from 'node:path'
import { AegisError } from '@aegis/core'
import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { disarm, refusalOf } from '../engine/engine-failure.ts'
import { isSamePlatform, platformOf } from '../images/image-platform.ts'
import { guestDirectory } from './guest-volume.ts'

/** What of an image a container of ours heeds. */
export interface ImageFacts {
  readonly id: string
  /** Variables that lie beneath those of each command. */
  readonly env: Readonly<Record<string, string>>
  /** Paths where the image wants a writable volume. */
  readonly volumes: readonly string[]
}

export interface ImageReader {
  /**
   * `machine` is the engine's, as `uname -m` says.
   * @throws AegisError `not-found` / `image.absent` · `unsupported` / `image.platform` · `invalid` /
   * `image.volume`, `image.labels`
   */
  read(image: string, machine: string, signal: AbortSignal): Promise<ImageFacts>
}

/** Images that are remembered; each is a few hundred bytes. */
const rememberedMax = 256
const volumesMax = 32
/** Characters. Whatever lists containers or tells of their end repeats the labels of their image. */
const labelsMax = 64 * 1024
const variablesMax = 256

const inspected = z.object({
  Id: z.string().max(200),
  Os: z.string().max(100).default(''),
  Architecture: z.string().max(100).default(''),
  Config: z
    .object({
      Env: z.array(z.string().max(32_768)).max(variablesMax).nullish(),
      Volumes: z.record(z.string().max(4096), z.unknown()).nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
})

export function makeImageReader(client: EngineClient): ImageReader {
  const remembered = new Map<string, ImageFacts>()
  return {
    async read(image, machine, signal) {
      const known = remembered.get(image)
      if (known) return known
      const path = `/images/${encodeURIComponent(image)}/json`
      const found = await client
        .call(inspected, { method: 'GET', path }, signal)
        .catch((error: unknown) => {
          if (refusalOf(error)?.status !== 404) throw error
          throw absent(image, error)
        })
      const platform = platformOf(found)
      if (!isSamePlatform(platform, platformOf({ Os: 'linux', Architecture: machine })))
        throw new AegisError(
          'unsupported',
          'image.platform',
          `The image ${disarm(image)} is for ${disarm(`${platform.os}/${platform.architecture}`)}, and the engine's machine is linux/${disarm(machine)}. Choose an image that was built for it too`,
        )
      refuseLargeLabels(image, found.Config?.Labels ?? {})
      const facts: ImageFacts = {
        id: found.Id,
        env: environmentOf(found.Config?.Env ?? []),
        volumes: volumesOf(image, Object.keys(found.Config?.Volumes ?? {})),
      }
      // A name may mean another image tomorrow, an id may not.
      if (image === facts.id) remember(remembered, facts)
      return facts
    },
  }
}

function refuseLargeLabels(image: string, labels: Readonly<Record<string, string>>): void {
  if (JSON.stringify(labels).length <= labelsMax) return
  throw new AegisError(
    'invalid',
    'image.labels',
    `The image ${disarm(image)} carries labels of more than ${labelsMax} characters, which the engine would repeat in all it tells. Build it without them`,
  )
}

export const absent = (image: string, cause: unknown): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `The image ${disarm(image)} is not on the engine. Fetch it: aegis image pull, or deploy the agent again`,
    { cause },
  )

function remember(remembered: Map<string, ImageFacts>, facts: ImageFacts): void {
  const [oldest] = remembered.keys()
  if (remembered.size >= rememberedMax && oldest !== undefined) remembered.delete(oldest)
  remembered.set(facts.id, facts)
}

/** What Docker itself sets where an image sets none. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What AEGIS alone tells an agent. */
const ownVariables = 'AEGIS_'

function environmentOf(lines: readonly string[]): Readonly<Record<string, string>> {
  const pairs = lines.flatMap((line): [string, string][] => {
    const at = line.indexOf('=')
    const usable = at > 0 && !line.includes('\0') && !line.startsWith(ownVariables)
    return usable ? [[line.slice(0, at), line.slice(at + 1)]] : []
  })
  return { PATH: defaultPath, ...Object.fromEntries(pairs) }
}

/** Where a volume of the image would stand between the guest and us, or in what the kernel shows. */
const forbidden = ['/', guestDirectory, '/proc', '/sys', '/dev']

function volumesOf(image: string, paths: readonly string[]): readonly string[] {
  const plain = paths.map((path) => posix.normalize(`${path}/`).replace(/(?<=.)\/$/, ''))
  const bad = plain.find(
    (path) =>
      !path.startsWith('/') ||
      /[:,\0]/.test(path) ||
      forbidden.some((one) => path === one || (one !== '/' && path.startsWith(`${one}/`))),
  )
  if (bad === undefined && plain.length <= volumesMax) return plain
  throw new AegisError(
    'invalid',
    'image.volume',
    `The image ${disarm(image)} declares ${bad === undefined ? `more than ${volumesMax} volumes` : `a volume at ${disarm(bad)}`}, which no sandbox can have. Build it without that VOLUME`,
  )
}
