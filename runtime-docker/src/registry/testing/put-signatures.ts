import type { ImageSignature } from '@aegis/core'
import { uploadsTo } from './upload.ts'

/** Puts signatures where `cosign sign` does: beside an image, in a registry on the loopback. */
export async function putSignatures(
  address: string,
  repository: string,
  digest: string,
  signatures: readonly ImageSignature[],
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const uploads = uploadsTo(address, repository, headers)
  const layers = []
  for (const { payload, signature } of signatures) {
    layers.push({
      mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
      ...(await uploads.blob(payload)),
      annotations: {
        'dev.cosignproject.cosign/signature': Buffer.from(signature).toString('base64'),
      },
    })
  }
  const configType = 'application/vnd.oci.image.config.v1+json'
  await uploads.manifest(`${digest.replace(':', '-')}.sig`, {
    ...{ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json' },
    config: { mediaType: configType, ...(await uploads.blob(Buffer.from('{}'))) },
    layers,
  })
}
