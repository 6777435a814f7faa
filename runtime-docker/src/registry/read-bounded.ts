import { AegisError } from '@aegis/core'

/** The body of an answer. @throws AegisError `invalid` / `code` it is longer than `mostBytes` */
export async function readBounded(
  response: Response,
  mostBytes: number,
  code: string,
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > mostBytes) {
      const host = new URL(response.url).host
      throw new AegisError('invalid', code, `${host} answered with more than ${mostBytes} bytes.`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
