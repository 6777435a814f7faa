import { createHash } from 'node:crypto'
import type { ImageSignature } from '@aegis/core'

/** Puts signatures where `cosign sign` does: beside an image, in a registry on the loopback. */
export async function putSignatures(
  address: string,
  repository: string,
  digest: string,
  signatures: readonly ImageSignature[],
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const base = `http://${address}/v2/${repository}`
  const upload = async (bytes: Uint8Array) => {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers })
    const place = new URL(begun.headers.get('location') ?? '', base)
    place.searchParams.set('digest', digestOf(bytes))
    const type = { 'content-type': 'application/octet-stream' }
    const body = Uint8Array.from(bytes)
    await mustBe(201, await fetch(place, { method: 'PUT', body, headers: { ...headers, ...type } }))
    return { digest: digestOf(bytes), size: bytes.length }
  }
  const layers = []
  for (const { payload, signature } of signatures) {
    layers.push({
      mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
      ...(await upload(payload)),
      annotations: {
        'dev.cosignproject.cosign/signature': Buffer.from(signature).toString('base64'),
      },
    })
  }
  const config = Buffer.from('{}')
  const configType = 'application/vnd.oci.image.config.v1+json'
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, ...(await upload(config)) },
    layers,
  }
  const answer = await fetch(`${base}/manifests/${digest.replace(':', '-')}.sig`, {
    method: 'PUT',
    body: JSON.stringify(manifest),
    headers: { ...headers, 'content-type': mediaType },
  })
  await mustBe(201, answer)
}

const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function mustBe(status: number, answer: Response): Promise<void> {
  if (answer.status !== status) throw new Error(`${answer.status}: ${await answer.text()}`)
}
