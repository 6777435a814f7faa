import type { ImageStore } from '@aegis/core'

/** Where images come from that machines boot: an engine, or a registry. */
export interface ImageSource {
  /** Its images. A machine's disk is made from one when that is first needed. */
  readonly store: ImageStore
  /**
   * An image as an archive, like that of `docker save`. Ending the reading ends its making.
   * @throws AegisError `not-found` / `image.absent` · `unavailable` / `engine.unreachable`
   */
  archive(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}
