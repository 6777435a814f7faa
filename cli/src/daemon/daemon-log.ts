import { open, rename, stat } from 'node:fs/promises'
import { errnoOf } from '../input/read-text-file.ts'

const rotateAtBytes = 10 * 1024 * 1024
/** Read from the end of a log, at most. */
const tailBytes = 256 * 1024

/** Moves a log that has grown large aside, to `daemon.log.1`, whose former content is dropped. */
export async function rotateLog(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size >= rotateAtBytes) await rename(path, `${path}.1`)
}

/** The last lines of a log; none where there is no log. */
export async function tailLog(path: string, lines: number): Promise<readonly string[]> {
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const start = Math.max(0, size - tailBytes)
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(Math.min(size, tailBytes)),
      position: start,
    })
    const all = buffer.toString('utf8', 0, bytesRead).split('\n')
    if (start > 0) all.shift() // The first may be half a line.
    if (all.at(-1) === '') all.pop()
    return all.slice(-lines)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
