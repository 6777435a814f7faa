import type { ImageSignature } from '@aegis/core'

/** Where images come from on a node without an engine. */
export interface ImageRegistry {
  /** A name as people write it; two that mean the same are the same. Undefined for an id. */
  nameOf(reference: string): string | undefined
  /**
   * What a name means now.
   * @throws AegisError `not-found` / `image.absent` · `denied` / `image.access` · `unavailable` /
   * `image.network` · `invalid` / `image.pull-failed`
   */
  find(reference: string, signal: AbortSignal): Promise<RemoteImage>
  /** As `ImageStore.signatures`. */
  signatures(digest: string, signal: AbortSignal): Promise<readonly ImageSignature[]>
}

/** An image of a registry. */
export interface RemoteImage {
  /** Digest of its configuration. */
  readonly id: string
  /** `name@sha256:…`: what the name means now. */
  readonly digest: string
  /** Digests of its manifest, and of the indexes that led there. */
  readonly otherIds: readonly string[]
  /** Of its layers, as they are packed. */
  readonly sizeBytes: number
  readonly layers: number
  /** All of it, which is fetched while it is read. @throws like `find` */
  archive(
    onProgress: (progress: { readonly layersDone: number; readonly bytes: number }) => void,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
}
