import { AegisError } from '../kernel/aegis-error.ts'
import type { ImageSignature, ImageStore, PinnedImage } from './image-store.ts'
import { readSigningClaim } from './signing-claim.ts'

/** Tells whether one of the operator's keys signed something. */
export interface SignatureVerifier {
  isSigned(signature: ImageSignature): boolean
}

/** What an operator demands of the images that run on a node. */
export interface ImageTrust {
  /**
   * Before anything is fetched.
   * @throws AegisError `denied` / `image.digest-required`
   */
  checkName(store: Pick<ImageStore, 'find'>, reference: string, signal: AbortSignal): Promise<void>
  /**
   * Once it is known which image it is, and before anything runs in it.
   * @throws AegisError `denied` / `image.digest-required`, `image.unsigned` · of what
   * `ImageStore.signatures` throws, with its reason: an image of which nobody knows is not trusted
   */
  check(
    store: Pick<ImageStore, 'signatures'>,
    image: PinnedImage,
    signal: AbortSignal,
  ): Promise<void>
}

interface Demands {
  readonly requireDigest: boolean
  /** Absent: no signature is needed. */
  readonly verifier: SignatureVerifier | undefined
}

/** Digests that are known to be signed: more are looked up again. */
const maxKnown = 1_000

export function makeImageTrust({ requireDigest, verifier }: Demands): ImageTrust {
  const known = new Set<string>()

  return {
    async checkName(store, reference, signal) {
      if (!requireDigest || reference.includes('@')) return
      const present = await store.find(reference, signal).catch(() => undefined)
      throw digestRequired(reference, present?.digests[0])
    },

    async check(store, image, signal) {
      if (requireDigest && !image.reference.includes('@')) {
        throw digestRequired(image.reference, image.digest)
      }
      if (verifier === undefined) return
      const { digest } = image
      if (digest === undefined) throw madeHere(image)
      if (known.has(digest)) return
      const signatures = await signaturesOf(store, digest, signal)
      if (!signatures.some((one) => isFor(one, digest) && verifier.isSigned(one))) {
        throw unsigned(image.reference, digest, signatures.length)
      }
      if (known.size >= maxKnown) known.clear()
      known.add(digest)
    },
  }
}

/** A signature of another image says nothing about this one. */
const isFor = ({ payload }: ImageSignature, digest: string): boolean =>
  readSigningClaim(payload)?.digest === digest.slice(digest.indexOf('@') + 1)

async function signaturesOf(
  store: Pick<ImageStore, 'signatures'>,
  digest: string,
  signal: AbortSignal,
): Promise<readonly ImageSignature[]> {
  try {
    return await store.signatures(digest, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof AegisError)) throw error
    throw new AegisError(
      error.kind,
      error.code,
      `It cannot be found out whether ${digest} is signed, so it does not run: ${error.message}`,
      { cause: error },
    )
  }
}

function digestRequired(reference: string, digest: string | undefined): AegisError {
  const name = reference.replace(/:[^/:]*$/, '')
  const remedy =
    digest === undefined
      ? `Write it as ${name}@sha256:…`
      : `What ${reference} means on this host now is ${digest}`
  return new AegisError(
    'denied',
    'image.digest-required',
    `The operator of this node takes images by digest alone (spec.security.supply.require_digest), and ${reference} names none. ${remedy}. It belongs into spec.runtime.image of the manifest, or for a language into spec.runtime.images of the node config.`,
  )
}

const madeHere = ({ reference }: PinnedImage): AegisError =>
  new AegisError(
    'denied',
    'image.unsigned',
    `${reference} was made on this host and stands in no registry, so it has no signature, and the operator of this node demands one (spec.security.supply.image_keys). Push it, sign it with cosign, and deploy what was pushed.`,
  )

/** Where cosign keeps signatures, in its first format. */
const tagOf = (digest: string): string =>
  `${digest.slice(digest.indexOf('@') + 1).replace(':', '-')}.sig`

function unsigned(reference: string, digest: string, found: number): AegisError {
  const what =
    found === 0
      ? `there is no signature of it under the tag ${tagOf(digest)}`
      : `none of its ${found} signatures is by such a key`
  return new AegisError(
    'denied',
    'image.unsigned',
    `${reference} (${digest}) must be signed by a key that the operator of this node trusts (spec.security.supply.image_keys), and ${what}. Sign it: cosign sign --key <key> ${digest}`,
  )
}
