import type { ImageStore } from '@aegis/core'

/** An engine whose images machines boot. */
export interface ImageSource {
  /** Its images. A machine's disk is made from one when that is first needed. */
  readonly store: ImageStore
  /** Whether it is to be asked now; absent: always. It may come and go. */
  isExpected?(): boolean
  /**
   * An image as an archive, like that of `docker save`. Ending the reading ends its making.
   * @throws AegisError `not-found` / `image.absent` · `unavailable` / `engine.unreachable`
   */
  archive(id: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}
