import { gzipSync } from 'node:zlib'
import { digestOf, uploadsTo } from './upload.ts'

export interface ImageToPut {
  /** As tar archives, not packed. */
  readonly layers: readonly Buffer[]
  readonly architecture?: string
  /** With an index above the manifest, in which images for other processors stand too. */
  readonly others?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
}

export interface PutImage {
  /** Of its configuration. */
  readonly id: string
  /** Of what the tag means. */
  readonly digest: string
  readonly manifestDigest: string
}

const oci = 'application/vnd.oci.image'

/** Puts an image into a registry on the loopback, as `docker push` does: layers packed with gzip. */
export async function putImage(
  address: string,
  name: string,
  { layers, architecture = 'amd64', others, headers = {} }: ImageToPut,
): Promise<PutImage> {
  const [repository = '', tag = 'latest'] = name.split(':')
  const uploads = uploadsTo(address, repository, headers)
  const put = async (image: readonly Buffer[], processor: string, version: string) => {
    const config = Buffer.from(
      JSON.stringify({
        ...{ architecture: processor, os: 'linux', config: { Env: ['PATH=/bin'] } },
        rootfs: { type: 'layers', diff_ids: image.map(digestOf) },
      }),
    )
    const packed = []
    for (const layer of image)
      packed.push({
        mediaType: `${oci}.layer.v1.tar+gzip`,
        ...(await uploads.blob(gzipSync(layer))),
      })
    const manifest = {
      ...{ schemaVersion: 2, mediaType: `${oci}.manifest.v1+json` },
      config: { mediaType: `${oci}.config.v1+json`, ...(await uploads.blob(config)) },
      layers: packed,
    }
    const digest = await uploads.manifest(version, manifest)
    const size = Buffer.byteLength(JSON.stringify(manifest))
    const platform = { os: 'linux', architecture: processor }
    return { id: digestOf(config), mediaType: manifest.mediaType, digest, size, platform }
  }
  const main = await put(layers, architecture, others === undefined ? tag : 'own')
  if (others === undefined) return { id: main.id, digest: main.digest, manifestDigest: main.digest }
  const manifests = []
  for (const other of others) manifests.push(await put(layers, other, other))
  const digest = await uploads.manifest(tag, {
    ...{ schemaVersion: 2, mediaType: `${oci}.index.v1+json` },
    ...{ manifests: [...manifests, main].map(({ id: _, ...one }) => one) },
  })
  return { id: main.id, digest, manifestDigest: main.digest }
}
