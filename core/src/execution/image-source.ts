import { imageForRun } from '../image/image-for-run.ts'
import type { PinnedImage } from '../image/image-store.ts'
import type { ImageTrust } from '../image/image-trust.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { SandboxRecipe } from '../pool/sandbox-recipe.ts'
import { awaitEngine } from './await-engine.ts'
import type { ExecutionJournal } from './execution-journal.ts'

/**
 * What an execution boots from, on the host by the time it resolves; undefined where its runtime
 * needs no image.
 * @throws AegisError `image_failed`, of the kind that the reason has
 */
export type ImageSource = (signal: AbortSignal) => Promise<PinnedImage | undefined>

interface Deps {
  readonly clock: Clock
  /** Image of each language; see `imageReferenceOf`. */
  readonly images: Readonly<Record<string, string>>
  readonly trust: ImageTrust
}

/** Looks for the image when it is first needed, and once. */
export function makeImageSource(
  { clock, images: table, trust }: Deps,
  { note }: Pick<ExecutionJournal, 'note'>,
  { manifest, runtime: { images: store }, image: pin }: SandboxRecipe,
): ImageSource {
  let found: PinnedImage | undefined
  return async (signal) => {
    if (store === undefined) return undefined
    const look = () => imageForRun({ clock, table, trust, note }, { store, manifest, pin }, signal)
    try {
      found ??= await awaitEngine(clock, look, signal)
      return found
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AegisError)) throw error
      throw new AegisError(error.kind, 'image_failed', error.message, { cause: error })
    }
  }
}
