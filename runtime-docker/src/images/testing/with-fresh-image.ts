import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'

/** What is asked of a test's engine. */
interface Engine {
  call(method: string, path: string, call?: EngineCall): Promise<string>
}

interface EngineCall {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: Readable
}

/**
 * Gives `use` an image that is nobody else's, of one file that cannot be compressed, and leaves
 * nothing of it in the engine: what was pushed meanwhile has to be fetched when it is pulled.
 */
export async function withFreshImage<Result>(
  engine: Engine,
  sizeBytes: number,
  use: (image: string) => Promise<Result>,
): Promise<Result> {
  const tag = randomBytes(8).toString('hex')
  await engine.call('POST', '/images/create', {
    query: { fromSrc: '-', repo: 'fresh', tag },
    body: Readable.from([tarOf('content', randomBytes(sizeBytes))]),
  })
  try {
    return await use(`fresh:${tag}`)
  } finally {
    await engine.call('DELETE', `/images/fresh:${tag}`)
  }
}

/** One file as POSIX.1-1988 writes it. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512)
  header.write(name)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\0', 257)
  header.write('00', 263)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)])
}
