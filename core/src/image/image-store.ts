import type { Instant } from '../kernel/clock.ts'

/** An OCI image on the host, ready to boot from. */
export interface Image {
  /** Digest of its configuration, `sha256:…`: what a sandbox boots from. */
  readonly id: string
  /** Names with tags, for example `python:3.11`. */
  readonly references: readonly string[]
  /** Names with digests, as registries know them; none for an image that was made on the host. */
  readonly digests: readonly string[]
  readonly sizeBytes: number
  readonly createdAt: Instant
  /** Fetched or built by this node, and so its own to remove. */
  readonly pulled: boolean
  /** What micro-VMs boot from, once it was made of the image. */
  readonly disk?: ImageDisk | undefined
}

/** The disk of an image for micro-VMs. */
export interface ImageDisk {
  readonly sizeBytes: number
  /** Micro-VMs that use it now. */
  readonly machines: number
  /** No engine has the image too: `sizeBytes` of the image are then those of the disk. */
  readonly alone: boolean
}

/** An image that is handed over as an archive. */
export interface ImageBuild {
  /** What `docker save` writes, or an OCI layout, as tar; packed with gzip or zstd, or not. */
  readonly archive: AsyncIterable<Uint8Array>
  /** What it will be called here; default the names in the archive. */
  readonly name?: string | undefined
}

/** The image that an agent's revision runs in, whatever its tag means later. */
export interface PinnedImage {
  /** As the manifest or the node's table named it. */
  readonly reference: string
  readonly id: string
  /** `name@sha256:…`, to fetch the same again; absent for an image that was made on the host. */
  readonly digest?: string | undefined
}

/** A signature that a registry keeps beside an image, as cosign makes them. Nothing of it is checked. */
export interface ImageSignature {
  /** What was signed, byte by byte. */
  readonly payload: Uint8Array
  readonly signature: Uint8Array
}

/** How far a pull is. */
export interface PullProgress {
  readonly reference: string
  readonly phase: 'resolving' | 'downloading' | 'extracting' | 'converting' | 'retrying' | 'done'
  /** Layers that are complete, of those known so far. */
  readonly layersDone: number
  readonly layers: number
  readonly downloadedBytes: number
  /** Of the layers known so far; grows while it resolves. */
  readonly totalBytes: number
}

/**
 * The images of one host. All methods throw AegisError `unavailable` / `engine.unreachable` while
 * the engine cannot be reached.
 */
export interface ImageStore {
  list(signal: AbortSignal): Promise<readonly Image[]>
  /** By reference, digest or id; undefined when the host does not have it. */
  find(reference: string, signal: AbortSignal): Promise<Image | undefined>
  /**
   * Fetches an image, with retries. Progress comes at most a few times a second.
   * @throws AegisError `not-found` / `image.absent` · `denied` / `image.access` · `unavailable` /
   * `image.network` · `exhausted` / `image.space` · `invalid` / `image.pull-failed`
   */
  pull(
    reference: string,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<Image>
  /**
   * The signatures of an image, asked of its registry by its digest (`name@sha256:…`); none where it
   * has none.
   * @throws AegisError `denied` / `image.access` · `unavailable` / `image.network` · `invalid` /
   * `image.signatures` what the registry answers is none
   */
  signatures(digest: string, signal: AbortSignal): Promise<readonly ImageSignature[]>
  /** Quietly fine when it is gone. @throws `conflict` / `image.used` a sandbox still needs it */
  remove(id: string, signal: AbortSignal): Promise<void>
  /**
   * Does what takes long before the first sandbox can boot from an image that is there; absent where
   * nothing does. A boot does it too.
   * @throws AegisError `not-found` / `image.absent` · `invalid` / `image.archive`, `image.layer`,
   * `image.path`, `image.too-large` · `unsupported` / `image.platform` · `exhausted` / `image.space`
   */
  prepare?(
    id: string,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<void>
  /** Makes an image of an archive; absent where images are an engine's alone. @throws like `prepare` */
  fromArchive?(
    build: ImageBuild,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<Image>
}
