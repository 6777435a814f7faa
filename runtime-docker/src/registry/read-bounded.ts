import { AegisError } from '@aegis/core'

/** The body of an answer. @throws AegisError `invalid` / `image.signatures` it is longer than `mostBytes` */
export async function readBounded(response: Response, mostBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > mostBytes) {
      throw new AegisError(
        'invalid',
        'image.signatures',
        `${new URL(response.url).host} answered with more than ${mostBytes} bytes.`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
