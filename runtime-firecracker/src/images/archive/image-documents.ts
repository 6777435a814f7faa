import { AegisError } from '@aegis/core'
import * as z from 'zod'
import { maxLayers } from './archive-limits.ts'
import { badArchive } from './bad-archive.ts'

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is no sha256 digest')
const path = z.string().min(1).max(1024)

/** `manifest.json` of `docker save`. */
export const dockerManifestSchema = z
  .array(
    z.object({
      Config: path,
      RepoTags: z.array(z.string().max(512)).max(1000).nullish(),
      Layers: z.array(path).max(maxLayers),
    }),
  )
  .min(1)
  .max(1000)

export const descriptorSchema = z.object({
  mediaType: z.string().max(255).default(''),
  digest,
  size: z.number().int().nonnegative(),
  platform: z.object({ os: z.string().max(100), architecture: z.string().max(100) }).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
})
export type Descriptor = z.infer<typeof descriptorSchema>

/** `index.json` of an OCI layout, and every index beneath it. */
export const indexSchema = z.object({ manifests: z.array(descriptorSchema).min(1).max(1000) })

export const manifestSchema = z.object({
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(maxLayers),
})

const texts = z.array(z.string().max(65_536)).max(1000).nullish()

/** The configuration of an image, whose digest is the image's id. */
export const imageConfigSchema = z.object({
  architecture: z.string().max(100).default(''),
  os: z.string().max(100).default(''),
  created: z.string().max(100).nullish(),
  config: z
    .object({
      Env: z.array(z.string().max(32_768)).max(256).nullish(),
      User: z.string().max(512).nullish(),
      WorkingDir: z.string().max(4096).nullish(),
      Entrypoint: texts,
      Cmd: texts,
      Volumes: z.record(z.string().max(4096), z.unknown()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(digest).max(maxLayers) }),
})
export type ImageConfig = z.infer<typeof imageConfigSchema>

/** @throws AegisError `invalid` / `image.archive` */
export function parseDocument<Output>(
  schema: z.ZodType<Output>,
  bytes: Buffer,
  name: string,
): Output {
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (cause) {
    const [issue] = cause instanceof z.ZodError ? cause.issues : []
    const where = issue === undefined ? 'no JSON' : `${issue.path.join('.')}: ${issue.message}`
    throw badArchive(`its ${name} is not what it should be (${where})`, cause)
  }
}

/** Where a digest lies in an OCI layout. */
export const blobPath = (of: string): string => `blobs/${of.replace(':', '/')}`

/** @throws AegisError `unsupported` / `image.platform` */
export function checkPlatform({ os, architecture }: ImageConfig, wanted: string): void {
  if ((os === '' || os === 'linux') && (architecture === '' || architecture === wanted)) return
  throw new AegisError(
    'unsupported',
    'image.platform',
    `The image is for ${JSON.stringify(`${os}/${architecture}`)}, and this machine is linux/${wanted}. Choose an image that was built for it too`,
  )
}
