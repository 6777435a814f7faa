import type { ImageSignature } from '@aegis/core'
import { familiarName, imageIdOf, imageNameOf } from '../images/image-name.ts'
import { noNameToPull } from '../images/pull-failure.ts'
import type { RegistryCredentials } from '../images/registry-credentials.ts'
import { fetchSignatures } from './fetch-signatures.ts'
import { defaultPatience, type Patience } from './patiently.ts'
import { openRegistryClient } from './registry-client.ts'
import { type RegistryImage, resolveRegistryImage } from './registry-image.ts'

/** Images as registries have them, without any engine. Nothing is kept. */
export interface RegistryImages {
  /** The name as people write it; two that mean the same are the same. Undefined for an id. */
  nameOf(reference: string): string | undefined
  /**
   * What a name means now.
   * @throws AegisError `not-found` / `image.absent` · `denied` / `image.access` · `unavailable` /
   * `image.network` · `invalid` / `image.pull-failed`
   */
  find(reference: string, signal: AbortSignal): Promise<RegistryImage>
  /** As `ImageStore.signatures`. */
  signatures(digest: string, signal: AbortSignal): Promise<readonly ImageSignature[]>
}

export interface RegistryImagesOptions {
  readonly credentials: Pick<RegistryCredentials, 'find'>
  /** For which images are chosen, in Go's words: `amd64`. */
  readonly architecture: string
  readonly patience?: Patience
}

export function openRegistryImages(options: RegistryImagesOptions): RegistryImages {
  const { credentials, architecture, patience = defaultPatience } = options
  const client = openRegistryClient({ credentials, tooLong: 'image.pull-failed' })
  const signatureClient = openRegistryClient({ credentials })
  return {
    nameOf: (reference) =>
      imageIdOf(reference) === undefined ? familiarName(imageNameOf(reference)) : undefined,
    async find(reference, signal) {
      if (imageIdOf(reference) !== undefined) throw noNameToPull(reference)
      const name = imageNameOf(reference)
      const registry = { visit: client.visit(name), name, architecture, patience }
      return resolveRegistryImage(registry, signal)
    },
    signatures: (digest, signal) => fetchSignatures(signatureClient, imageNameOf(digest), signal),
  }
}
