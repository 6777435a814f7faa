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
    for (const { images } of runtimes.values()) if (images !== undefined) return images
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
      return everything ? images : images.filter((one) => one.pulled || one.agents.length > 0)
    },

    pull: async (reference, onProgress, signal) =>
      store().pull(parseImageReference(reference), onProgress, signal),

    async prune(): Promise<PruneResult> {
      const removed: Image[] = []
      const kept: KeptImage[] = []
      for (const { agents: users, ...image } of await all()) {
        if (!image.pulled || users.length > 0) continue
        const reason = await remove(store(), image)
        if (reason === undefined) removed.push(image)
        else kept.push({ image, reason })
      }
      const freedBytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      return { removed, freedBytes, kept }
    },
  }
}

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
