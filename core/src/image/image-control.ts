import type { AgentQueries } from '../agent/agent-queries.ts'
import type { ImageControl, ImageSummary, KeptImage, PruneResult } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import { parseImageReference } from './image-reference.ts'
import type { Image, ImageStore, PinnedImage } from './image-store.ts'

interface Deps {
  readonly runtimes: ReadonlyMap<string, SandboxRuntime>
  readonly agents: Pick<AgentQueries, 'list'>
}

/** The use cases of images. */
export function makeImageControl({ runtimes, agents }: Deps): ImageControl {
  const never = new AbortController().signal

  const store = (): ImageStore => {
    const stores = [...runtimes.values()].map(({ images }) => images)
    // That of micro-VMs knows the engine's images too, and their disks besides.
    const found = stores.find((one) => one?.fromArchive !== undefined) ?? stores.find(Boolean)
    if (found !== undefined) return found
    throw new AegisError(
      'unsupported',
      'image.no-engine',
      'No runtime of this node boots from images. Install Docker (apt-get install docker.io), start it, and start AEGIS again; see aegis doctor.',
    )
  }

  const all = async (): Promise<readonly ImageSummary[]> => {
    const [images, deployed] = await Promise.all([store().list(never), agents.list()])
    return images.map((image) => ({
      ...image,
      agents: deployed.filter((agent) => isPinned(agent.image, image)).map(({ name }) => name),
    }))
  }

  return {
    async list({ all: everything = false } = {}) {
      const images = await all()
      return everything
        ? images
        : images.filter((one) => one.pulled || one.disk !== undefined || one.agents.length > 0)
    },

    pull: async (reference, onProgress, signal) =>
      store().pull(parseImageReference(reference), onProgress, signal),

    async prepare(reference, onProgress, signal) {
      const images = store()
      if (images.prepare === undefined) throw noMachines()
      const named = parseImageReference(reference)
      const { id } =
        (await images.find(named, signal)) ?? (await images.pull(named, onProgress, signal))
      await images.prepare(id, (progress) => onProgress({ ...progress, reference }), signal)
      const image = await images.find(id, signal)
      if (image === undefined) throw gone(reference)
      return image
    },

    async build({ archive, name }, onProgress, signal) {
      const images = store()
      if (images.fromArchive === undefined) throw noMachines()
      const named = name === undefined ? undefined : parseImageReference(name)
      return images.fromArchive({ archive, name: named }, onProgress, signal)
    },

    async prune(): Promise<PruneResult> {
      const removed: Image[] = []
      const kept: KeptImage[] = []
      for (const { agents: users, ...image } of await all()) {
        if (users.length > 0 || !(image.pulled || image.disk)) continue
        const reason = await remove(store(), image)
        if (reason === undefined) removed.push(image)
        else kept.push({ image, reason })
      }
      const freedBytes = removed.reduce((sum, image) => sum + bytesOf(image), 0)
      return { removed, freedBytes, kept }
    },
  }
}

/** What goes with an image: the image itself where it is the node's own, and its disk. */
function bytesOf({ pulled, sizeBytes, disk }: Image): number {
  const ownBytes = pulled && disk?.alone !== true ? sizeBytes : 0
  return ownBytes + (disk?.sizeBytes ?? 0)
}

const noMachines = (): AegisError =>
  new AegisError(
    'unsupported',
    'image.no-machines',
    'No runtime of this node boots micro-VMs. Add firecracker to spec.runtime.isolations of the node’s configuration, and look at aegis doctor.',
  )

const gone = (reference: string): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `The image ${reference} was removed while its disk was made. Make it again: aegis image build`,
  )

/** By its digest too, since an engine that was replaced may give the same image another id. */
const isPinned = (pin: PinnedImage | undefined, { id, digests }: Image): boolean =>
  pin !== undefined && (pin.id === id || (pin.digest !== undefined && digests.includes(pin.digest)))

/**
 * Why the image stays, or undefined once it is gone. An engine that is away would give each image
 * the same reason: that ends the whole pruning.
 */
async function remove(store: ImageStore, { id }: Image): Promise<string | undefined> {
  try {
    await store.remove(id, new AbortController().signal)
    return undefined
  } catch (error) {
    if (error instanceof AegisError && error.code !== 'engine.unreachable') return error.message
    throw error
  }
}
