import { spawnSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Compression, decompress } from './decompress.ts'

const text = Buffer.from('a kernel '.repeat(20_000))
const xz = (content: Buffer): Buffer =>
  spawnSync('xz', ['--compress', '--stdout'], { input: content }).stdout
const compressed: readonly (readonly [Compression, Buffer])[] = [
  ['none', text],
  ['gz', gzipSync(text)],
  ['zst', zstdCompressSync(text)],
  ['xz', xz(text)],
]

describe.each(compressed)('with compression %s', (compression, content) => {
  it('gives back what was packed', async () => {
    expect(await unpacked(content, compression)).toEqual(text)
  })

  it('stops a bomb at what is allowed', async () => {
    await expect(unpacked(content, compression, { maxBytes: 1000 })).rejects.toMatchObject({
      code: 'kernel.package',
      message: expect.stringContaining('more than 1000 bytes'),
    })
  })

  it('leaves nothing behind when nobody reads on', async () => {
    const source = Readable.from(pieces(content))
    for await (const chunk of decompress(source, compression, options())) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(source.destroyed).toBe(true)
  })
})

it.each(
  compressed.slice(1),
)('refuses %s that is damaged or ends early', async (compression, content) => {
  const altered = Buffer.from(content).fill(0xff, 0, 4)
  for (const broken of [altered, content.subarray(0, content.length - 5), Buffer.from('x')])
    await expect(unpacked(broken, compression)).rejects.toMatchObject({ code: 'kernel.package' })
})

it('says what is missing where xz is', async () => {
  const missing = { xzPath: '/nowhere/xz' }
  await expect(unpacked(xz(text), 'xz', missing)).rejects.toMatchObject({
    kind: 'unsupported',
    code: 'kernel.no-xz',
    message: expect.stringContaining('apt-get install xz-utils'),
  })
})

const options = () => ({ maxBytes: 1 << 20, signal: AbortSignal.timeout(10_000) })

const unpacked = async (content: Buffer, compression: Compression, other = {}): Promise<Buffer> => {
  const source = Readable.from(pieces(content))
  return Buffer.concat(
    await Array.fromAsync(decompress(source, compression, { ...options(), ...other })),
  )
}

function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += 4096) yield content.subarray(at, at + 4096)
}
