import { createHash } from 'node:crypto'
import * as z from 'zod'
import { registryLimits } from './registry-limits.ts'

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const descriptor = z.object({
  mediaType: z.string().max(255),
  digest,
  size: z.int().nonnegative(),
})

/** What of an index of images is needed to choose from it. */
export const indexSchema = z.object({
  manifests: z
    .array(
      descriptor.extend({
        platform: z
          .object({
            os: z.string().max(100),
            architecture: z.string().max(100),
            variant: z.string().max(100).optional(),
          })
          .optional(),
      }),
    )
    .max(1_000),
})

export const manifestSchema = z.object({
  config: descriptor,
  layers: z.array(descriptor).max(registryLimits.imageLayers),
})

export const configSchema = z.object({ architecture: z.string(), os: z.string() })

export type BlobDescriptor = z.output<typeof descriptor>
export type ImageManifest = z.output<typeof manifestSchema>

export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
export const indexType = 'application/vnd.oci.image.index.v1+json'

/** What is asked for, in the forms of OCI and of Docker. */
export const documentTypes = [
  indexType,
  'application/vnd.docker.distribution.manifest.list.v2+json',
  manifestType,
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
