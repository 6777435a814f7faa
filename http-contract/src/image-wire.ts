import type { Image, ImageSummary, PruneResult } from '@aegis/core'
import { z } from 'zod'
import { instant } from './scalars.ts'

/** `POST /api/images/pull`, and the `pulled` that ends its stream. */
export const image = z.object({
  id: z.string(),
  references: z.array(z.string()),
  digests: z.array(z.string()),
  size_bytes: z.number().min(0),
  created_at: instant,
  pulled: z.boolean(),
  /** What micro-VMs boot from, once it was made. */
  disk: z
    .object({ size_bytes: z.number().min(0), machines: z.number().min(0), alone: z.boolean() })
    .optional(),
})

/** An entry of `GET /api/images`. */
const imageSummary = image.extend({ agents: z.array(z.string()) })

export const imageSummaries = z.array(imageSummary)

/** `POST /api/images/prune` */
export const pruneResult = z.object({
  removed: z.array(image),
  freed_bytes: z.number().min(0),
  kept: z.array(z.object({ image, reason: z.string() })),
})

type ImageWire = z.infer<typeof image>
type ImageSummaryWire = z.infer<typeof imageSummary>
type PruneResultWire = z.infer<typeof pruneResult>

export const imageToWire = (from: Image): ImageWire => ({
  id: from.id,
  references: [...from.references],
  digests: [...from.digests],
  size_bytes: from.sizeBytes,
  created_at: from.createdAt,
  pulled: from.pulled,
  ...(from.disk && {
    disk: {
      size_bytes: from.disk.sizeBytes,
      machines: from.disk.machines,
      alone: from.disk.alone,
    },
  }),
})

export const imageFromWire = (wire: ImageWire): Image => ({
  id: wire.id,
  references: wire.references,
  digests: wire.digests,
  sizeBytes: wire.size_bytes,
  createdAt: wire.created_at,
  pulled: wire.pulled,
  ...(wire.disk && {
    disk: {
      sizeBytes: wire.disk.size_bytes,
      machines: wire.disk.machines,
      alone: wire.disk.alone,
    },
  }),
})

export const imageSummaryToWire = (from: ImageSummary): ImageSummaryWire => ({
  ...imageToWire(from),
  agents: [...from.agents],
})

export const imageSummaryFromWire = (wire: ImageSummaryWire): ImageSummary => ({
  ...imageFromWire(wire),
  agents: wire.agents,
})

export const pruneResultToWire = (from: PruneResult): PruneResultWire => ({
  removed: from.removed.map(imageToWire),
  freed_bytes: from.freedBytes,
  kept: from.kept.map(({ image, reason }) => ({ image: imageToWire(image), reason })),
})

export const pruneResultFromWire = (wire: PruneResultWire): PruneResult => ({
  removed: wire.removed.map(imageFromWire),
  freedBytes: wire.freed_bytes,
  kept: wire.kept.map(({ image, reason }) => ({ image: imageFromWire(image), reason })),
})
