import type { PinnedImage, PullProgress } from '@aegis/core'
import { z } from 'zod'

/** Which image an agent runs in. */
export const pinnedImage: z.ZodType<PinnedImage, PinnedImage> = z.object({
  reference: z.string(),
  id: z.string(),
  digest: z.string().optional(),
})

/** How far a pull is: the core's own words, in the events of executions and in `progress`. */
export const pullProgress: z.ZodType<PullProgress, PullProgress> = z.object({
  reference: z.string(),
  phase: z.enum(['resolving', 'downloading', 'extracting', 'converting', 'retrying', 'done']),
  layersDone: z.int().min(0),
  layers: z.int().min(0),
  downloadedBytes: z.number().min(0),
  totalBytes: z.number().min(0),
})
