import type { ManifestRuntime } from '../agent/agent-manifest.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Image, ImageStore, PinnedImage, PullProgress } from './image-store.ts'

export interface PinOptions {
  readonly policy: ManifestRuntime['image_pull_policy']
  readonly onProgress: (progress: PullProgress) => void
}

/**
 * Finds out which image a reference means now, and fetches it where the policy says so.
 * @throws AegisError `not-found` / `image.absent` · what `ImageStore.pull` throws
 */
export async function pinImage(
  store: Pick<ImageStore, 'find' | 'pull'>,
  reference: string,
  { policy, onProgress }: PinOptions,
  signal: AbortSignal,
): Promise<PinnedImage> {
  const present = policy === 'Always' ? undefined : await store.find(reference, signal)
  if (present !== undefined) return pinned(reference, present)
  if (policy === 'Never') throw notFetched(reference)
  return pinned(reference, await store.pull(reference, onProgress, signal))
}

/**
 * Sees to it that a pinned image is on the host: exactly that one, never what its tag means by now.
 * An engine that was replaced may know what the digest stands for by another id.
 * @throws AegisError `not-found` / `image.absent` · `conflict` / `image.changed` · what
 * `ImageStore.pull` throws
 */
export async function restoreImage(
  store: Pick<ImageStore, 'find' | 'pull'>,
  pin: PinnedImage,
  { policy, onProgress }: PinOptions,
  signal: AbortSignal,
): Promise<PinnedImage> {
  const { digest } = pin
  const present =
    (await store.find(pin.id, signal)) ??
    (digest === undefined ? undefined : await store.find(digest, signal))
  if (present !== undefined) return { ...pin, id: present.id }
  const name = digest ?? pin.reference
  if (policy === 'Never') throw notFetched(name)
  const { id } = await store.pull(name, onProgress, signal)
  if (id === pin.id || digest !== undefined) return { ...pin, id }
  throw new AegisError(
    'conflict',
    'image.changed',
    `${pin.reference} is another image by now, and the one this agent was deployed with (${pin.id.slice(0, 19)}) is gone. Deploy the agent again with --replace to take the new one.`,
  )
}

function pinned(reference: string, { id, digests }: Image): PinnedImage {
  const [named = '', exact] = reference.split('@')
  const name = named.replace(/:[^/:]*$/, '')
  const own = digests.filter((one) => one.startsWith(`${name}@`))
  // An image may be known by several, of which it is the one that was asked for.
  const digest =
    own.find((one) => exact !== undefined && one.endsWith(exact)) ?? own[0] ?? digests[0]
  return { reference, id, ...(digest === undefined ? {} : { digest }) }
}

const notFetched = (reference: string): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `The image ${reference} is not on this host, and the manifest forbids to fetch it (image_pull_policy: Never, or autopull: false). Fetch it yourself: aegis image pull ${reference}`,
  )
