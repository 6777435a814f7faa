import type { PullProgress } from '@aegis/core'
import type { ConversionProgress } from './convert-archive.ts'
import type { RemoteImage } from './image-registry.ts'

type Tell = (progress: PullProgress) => void

/** Tells how far the making of a disk is. */
export const converting =
  (reference: string, tell: Tell) =>
  ({ bytes }: ConversionProgress): void =>
    tell({ ...nothing(reference), phase: 'converting', downloadedBytes: bytes })

type Size = Pick<RemoteImage, 'layers' | 'sizeBytes'>

/** At most so often, while it goes on. */
const tellEveryMs = 250

/** Tells how far the fetching of an image is, which ends with its disk. */
export function fetchProgress(reference: string, tell: Tell) {
  let toldMs = Number.NEGATIVE_INFINITY
  tell(nothing(reference))
  return {
    fetching(
      { layers, sizeBytes: totalBytes }: Size,
      { layersDone, bytes }: { readonly layersDone: number; readonly bytes: number },
    ): void {
      if (performance.now() - toldMs < tellEveryMs) return
      toldMs = performance.now()
      const downloadedBytes = Math.min(bytes, totalBytes)
      tell({ reference, phase: 'downloading', layers, layersDone, downloadedBytes, totalBytes })
    },
    converting(progress: ConversionProgress): void {
      // What is read is what is fetched.
      if (progress.phase !== 'reading') converting(reference, tell)(progress)
    },
    done({ layers, sizeBytes: totalBytes }: Size): void {
      const layersDone = layers
      const downloadedBytes = totalBytes
      tell({ reference, phase: 'done', layers, layersDone, downloadedBytes, totalBytes })
    },
  }
}

const nothing = (reference: string): PullProgress => ({
  reference,
  phase: 'resolving',
  layers: 0,
  layersDone: 0,
  downloadedBytes: 0,
  totalBytes: 0,
})
