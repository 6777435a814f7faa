import type { Image, ImageStore, Logger } from '@aegis/core'
import * as z from 'zod'
import type { EngineClient } from '../engine/engine-client.ts'
import { refusalOf } from '../engine/engine-failure.ts'
import { fetchSignatures } from '../registry/fetch-signatures.ts'
import { openRegistryClient } from '../registry/registry-client.ts'
import { type HostImage, inspectedImageSchema, listedImageSchema } from './image-inspection.ts'
import { familiarName, fullName, imageIdOf, imageNameOf } from './image-name.ts'
import { makeProgressReporter } from './progress-reporter.ts'
import { noNameToPull, pulledNothing } from './pull-failure.ts'
import { defaultPullTiming, type PullTiming, pullImage } from './pull-image.ts'
import { initialPullState, progressOf } from './pull-progress.ts'
import { openPulledImages } from './pulled-images.ts'
import type { RegistryCredentials } from './registry-credentials.ts'
import { removeImage } from './remove-image.ts'
import { makeSharedPulls } from './shared-pulls.ts'

export interface ImageStoreOptions {
  readonly engine: EngineClient
  /** Keeps which images this node pulled; made when it is needed. */
  readonly stateDirectory: string
  readonly credentials: RegistryCredentials
  readonly logger: Logger
  readonly timing?: Partial<PullTiming>
}

/** The images of a Docker engine. Asks it nothing before a method is called. */
export interface DockerImageStore extends ImageStore, AsyncDisposable {}

/** Disposing cancels the pulls under way; images stay. */
export function openImageStore(options: ImageStoreOptions): DockerImageStore {
  const { engine, logger, credentials } = options
  const timing = { ...defaultPullTiming, ...options.timing }
  const registry = openRegistryClient({ credentials })
  const pulled = openPulledImages(options.stateDirectory, logger)
  const pulls = makeSharedPulls<HostImage>(async (reference, tell, signal) => {
    const name = imageNameOf(reference)
    const there = new Set((await listed(engine, signal)).map(({ id }) => id))
    using reporter = makeProgressReporter(tell, timing.reportEveryMs)
    const report = reporter.report
    await pullImage({ engine, credentials, logger, timing }, name, report, signal)
    const image = await inspected(engine, reference, signal)
    if (image === undefined) throw pulledNothing(familiarName(name))
    const isOwn = !there.has(image.id) || (await pulled.namesOf(image.id)) !== undefined
    if (isOwn) await pulled.add(image.id, familiarName(name))
    return image
  })

  const withOrigin = async (image: HostImage): Promise<Image> => ({
    ...image,
    pulled: (await pulled.namesOf(image.id)) !== undefined,
  })
  const find = async (reference: string, signal: AbortSignal): Promise<Image | undefined> => {
    const image = await inspected(engine, reference, signal)
    return image && withOrigin(image)
  }

  return {
    async list(signal) {
      const noted = await pulled.ids()
      const images = await listed(engine, signal)
      const ids = new Set(images.map(({ id }) => id))
      // Whoever fetches it again may be somebody else.
      await pulled.forget(noted.filter((id) => !ids.has(id)))
      return Promise.all(images.map(withOrigin))
    },
    find,
    async pull(reference, onProgress, signal) {
      if (imageIdOf(reference) !== undefined) throw noNameToPull(reference)
      const key = fullName(imageNameOf(reference))
      let latest = progressOf(reference, initialPullState)
      const image = await pulls.join(
        key,
        (progress) => {
          latest = { ...progress, reference }
          onProgress(latest)
        },
        signal,
      )
      const { layers, totalBytes } = latest
      onProgress({ ...latest, phase: 'done', layersDone: layers, downloadedBytes: totalBytes })
      return withOrigin(image)
    },
    signatures: (digest, signal) => fetchSignatures(registry, imageNameOf(digest), signal),
    async remove(id, signal) {
      const image = await find(id, signal)
      if (image !== undefined)
        await removeImage(engine, image, await pulled.namesOf(image.id), signal)
      await pulled.forget([image?.id ?? id])
    },
    [Symbol.asyncDispose]: () => pulls[Symbol.asyncDispose](),
  }
}

/** The list repeats each image's labels, as long as those are. */
const listMaxBytes = 256 << 20

async function listed(engine: EngineClient, signal: AbortSignal): Promise<readonly HostImage[]> {
  const request = { method: 'GET', path: '/images/json', answerMaxBytes: listMaxBytes } as const
  return engine.call(z.array(listedImageSchema), request, signal)
}

/** Nothing else can be asked for: an address must not lead to another part of the API. */
const askable = /^\w[\w.:@-]*(\/\w[\w.:@-]*)*$/

/**
 * Asks by the whole name, since an engine takes a short one also for the beginning of an id, and
 * would find an image that nobody named.
 */
async function inspected(
  engine: EngineClient,
  reference: string,
  signal: AbortSignal,
): Promise<HostImage | undefined> {
  const asked = imageIdOf(reference) ?? fullName(imageNameOf(reference))
  if (!askable.test(asked)) return undefined
  try {
    const request = { method: 'GET', path: `/images/${asked}/json` } as const
    return await engine.call(inspectedImageSchema, request, signal)
  } catch (error) {
    const status = refusalOf(error)?.status
    if (status === 404 || status === 400) return undefined
    throw error
  }
}
