import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Engine } from '../../../../tests/engine/test-engine.ts'
import type { PushedImage, TestRegistry } from '../../../../tests/engine/test-registry.ts'

/**
 * Puts an image that is nobody else's into a registry and leaves nothing of it in the engine, so
 * that a pull has something to fetch: one layer of a file that cannot be compressed.
 */
export async function pushFreshImage(
  engine: Engine,
  registry: TestRegistry,
  name: string,
  sizeBytes = 100_000,
): Promise<PushedImage> {
  const tag = randomBytes(8).toString('hex')
  await engine.call('POST', '/images/create', {
    query: { fromSrc: '-', repo: 'fresh', tag },
    body: Readable.from([tarOf('content', randomBytes(sizeBytes))]),
  })
  try {
    return await registry.push(engine, `fresh:${tag}`, name)
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
