import { open } from 'node:fs/promises'
import { AegisError } from '@aegis/core'

/**
 * A text file that the user named.
 * @throws AegisError `invalid`: missing, unreadable, no regular file, larger than `limitBytes`, not UTF-8
 */
export async function readTextFile(
  path: string,
  what: string,
  limitBytes: number,
): Promise<string> {
  const bytes = await readBytes(path, what, limitBytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new AegisError('invalid', 'file.encoding', `${what} ${path} is not UTF-8`, { cause })
  }
}

async function readBytes(path: string, what: string, limitBytes: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, 'r')
    const stat = await file.stat()
    if (stat.isDirectory())
      throw new AegisError('invalid', 'file.kind', `${what} ${path} is a folder`)
    // A pipe (`<(…)`) has no size: read one byte more than is allowed, and see.
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of file.createReadStream({ autoClose: false })) {
      chunks.push(chunk)
      size += chunk.length
      if (size > limitBytes) {
        const limit = `${limitBytes / 1024 / 1024} MiB`
        throw new AegisError('invalid', 'file.size', `${what} ${path} is larger than ${limit}`)
      }
    }
    return Buffer.concat(chunks)
  } catch (cause) {
    if (cause instanceof AegisError) throw cause
    const reason = reasons[errnoOf(cause)] ?? (cause instanceof Error ? cause.message : 'unknown')
    throw new AegisError(
      'invalid',
      'file.unreadable',
      `${what} ${path} cannot be read: ${reason}`,
      {
        cause,
      },
    )
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links go round in a circle',
}

export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
