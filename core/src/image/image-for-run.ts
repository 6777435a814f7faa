import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { ExecutionEvent } from '../execution/execution-event.ts'
import type { Clock } from '../kernel/clock.ts'
import { imageReferenceOf } from './image-reference.ts'
import type { ImageStore, PinnedImage, PullProgress } from './image-store.ts'
import type { ImageTrust } from './image-trust.ts'
import { pinImage, restoreImage } from './pin-image.ts'

interface Deps {
  readonly clock: Clock
  /** Image of each language; see `imageReferenceOf`. */
  readonly table: Readonly<Record<string, string>>
  readonly trust: ImageTrust
  readonly note: (event: ExecutionEvent) => Promise<void>
}

interface Wanted {
  readonly store: ImageStore
  readonly manifest: AgentManifest
  /** What the deploy pinned; absent when it was deployed for another runtime. */
  readonly pin: PinnedImage | undefined
}

/** Shortest time between two events of one pull. */
const progressEveryMs = 1000

/**
 * The image an execution runs in, on the host by the time it resolves. A pull shows in the
 * execution's events.
 * @throws what `pinImage`, `restoreImage` and `ImageTrust.check` throw
 */
export async function imageForRun(
  { clock, table, trust, note }: Deps,
  { store, manifest, pin }: Wanted,
  signal: AbortSignal,
): Promise<PinnedImage> {
  const { image_pull_policy: policy } = manifest.spec.runtime
  const startedMs = clock.monotonicMs()
  let toldMs = Number.NEGATIVE_INFINITY
  let pulled = false
  const images: Pick<ImageStore, 'find' | 'pull'> = {
    find: (reference, until) => store.find(reference, until),
    pull(...args) {
      pulled = true
      return store.pull(...args)
    },
  }
  const onProgress = (progress: PullProgress): void => {
    const nowMs = clock.monotonicMs()
    if (nowMs - toldMs < progressEveryMs) return
    toldMs = nowMs
    // A failing store ends the run anyway.
    note({ type: 'execution.image-pulling', progress, at: clock.now() }).catch(() => undefined)
  }
  const options = { policy, onProgress }
  const image =
    pin === undefined
      ? await pinImage(images, imageReferenceOf(manifest, table), options, signal)
      : await restoreImage(images, pin, options, signal)
  await trust.check(store, image, signal)
  await store.prepare?.(image.id, onProgress, signal)
  if (pulled) {
    const durationMs = Math.round(clock.monotonicMs() - startedMs)
    await note({ type: 'execution.image-pulled', image, durationMs, at: clock.now() })
  }
  return image
}
