import { createHash } from 'node:crypto'

type Headers = Readonly<Record<string, string>>

interface ManifestToPut {
  readonly mediaType: string
  readonly [field: string]: unknown
}

/** Puts into a repository of a registry on the loopback. */
export interface Uploads {
  blob(bytes: Uint8Array): Promise<{ readonly digest: string; readonly size: number }>
  /** Gives its digest. */
  manifest(version: string, document: ManifestToPut): Promise<string>
}

export function uploadsTo(address: string, repository: string, headers: Headers = {}): Uploads {
  const base = `http://${address}/v2/${repository}`
  return {
    async blob(bytes) {
      const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers })
      const place = new URL(begun.headers.get('location') ?? '', base)
      place.searchParams.set('digest', digestOf(bytes))
      const type = { 'content-type': 'application/octet-stream' }
      const body = Uint8Array.from(bytes)
      const put = { method: 'PUT', body, headers: { ...headers, ...type } }
      await mustBe(201, await fetch(place, put))
      return { digest: digestOf(bytes), size: bytes.length }
    },
    async manifest(version, document) {
      const body = Buffer.from(JSON.stringify(document))
      const answer = await fetch(`${base}/manifests/${version}`, {
        method: 'PUT',
        body,
        headers: { ...headers, 'content-type': document.mediaType },
      })
      await mustBe(201, answer)
      return digestOf(body)
    },
  }
}

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function mustBe(status: number, answer: Response): Promise<void> {
  if (answer.status !== status) throw new Error(`${answer.status}: ${await answer.text()}`)
}
