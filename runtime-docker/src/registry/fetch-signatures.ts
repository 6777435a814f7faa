import { createHash } from 'node:crypto'
import { AegisError, type ImageSignature } from '@aegis/core'
import * as z from 'zod'
import type { ImageName } from '../images/image-name.ts'
import type { RegistryClient, RegistryPlace } from './registry-client.ts'
import { registryLimits } from './registry-limits.ts'

const manifestTypes =
  'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'
const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json'
const annotation = 'dev.cosignproject.cosign/signature'

const manifestSchema = z.object({
  layers: z
    .array(
      z.object({
        mediaType: z.string(),
        digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
        size: z.int().min(0),
        annotations: z.record(z.string(), z.string()).optional(),
      }),
    )
    .max(1_000),
})

type Layer = z.output<typeof manifestSchema>['layers'][number]

/**
 * The signatures that cosign puts beside an image, under the tag `sha256-<digest>.sig` of its
 * repository; the first 50.
 * @throws AegisError as `RegistryClient.get` · `invalid` / `image.signatures`
 */
export async function fetchSignatures(
  client: RegistryClient,
  { registry, repository, version }: ImageName,
  signal: AbortSignal,
): Promise<readonly ImageSignature[]> {
  const place = { registry, repository }
  const request = {
    path: `manifests/${version.replace(':', '-')}.sig`,
    accept: manifestTypes,
    mostBytes: registryLimits.manifestBytes,
  }
  const text = await client.get(place, request, signal)
  if (text === undefined) return []
  const manifest = manifestSchema.safeParse(jsonOf(text))
  if (!manifest.success) throw malformed(place, 'they are no OCI manifest')
  const layers = manifest.data.layers.filter(isSignature).slice(0, registryLimits.signatures)
  const signatures: ImageSignature[] = []
  for (const layer of layers) signatures.push(await fetchOne(client, place, layer, signal))
  return signatures
}

const isSignature = ({ mediaType, size, annotations = {} }: Layer): boolean =>
  mediaType === payloadType &&
  size <= registryLimits.payloadBytes &&
  Object.hasOwn(annotations, annotation)

async function fetchOne(
  client: RegistryClient,
  place: RegistryPlace,
  { digest, size, annotations = {} }: Layer,
  signal: AbortSignal,
): Promise<ImageSignature> {
  const request = { path: `blobs/${digest}`, mostBytes: size }
  const payload = await client.get(place, request, signal)
  if (payload === undefined) throw malformed(place, `${digest} is missing`)
  const found = `sha256:${createHash('sha256').update(payload).digest('hex')}`
  if (found !== digest) throw malformed(place, `${digest} holds something else`)
  return { payload, signature: Buffer.from(annotations[annotation] ?? '', 'base64') }
}

function jsonOf(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch {
    return undefined
  }
}

const malformed = ({ registry, repository }: RegistryPlace, because: string): AegisError =>
  new AegisError(
    'invalid',
    'image.signatures',
    `The signatures that ${registry} keeps of ${repository} cannot be read: ${because}. Sign the image again.`,
  )
