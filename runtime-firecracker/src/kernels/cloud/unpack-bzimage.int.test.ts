import { execFileSync } from 'node:child_process'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { unpackBzImage } from './unpack-bzimage.ts'
import { lz4Magic } from './unpack-lz4.ts'

const never = new AbortController().signal
const kernel = Buffer.from('a kernel '.repeat(1000))

function sized(packed: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(kernel.length)
  return Buffer.concat([packed, size])
}

/** A file that says of itself what a bzImage does. */
function aBzImage(payload: Buffer, { version = 0x20f, length = payload.length } = {}): Buffer {
  const sectors = 3
  const offset = 40
  const head = Buffer.alloc((1 + sectors) * 512 + offset)
  head.writeUInt8(sectors, 0x1f1)
  head.write('HdrS', 0x202)
  head.writeUInt16LE(version, 0x206)
  head.writeUInt32LE(offset, 0x248)
  head.writeUInt32LE(length, 0x24c)
  return Buffer.concat([head, payload, Buffer.from('what else is in it')])
}

const literal = Buffer.concat([
  lz4Magic,
  Buffer.from([8 + 2, 0, 0, 0, 0x80]),
  Buffer.from('a kernel'),
  Buffer.from([0]),
])

it.each([
  ['gzip', () => gzipSync(kernel)],
  ['zstd', () => sized(zstdCompressSync(kernel))],
  ['xz', () => sized(execFileSync('xz', ['--check=crc32', '--stdout'], { input: kernel }))],
])('a kernel is taken out of its bzImage that is packed with %s', async (_, pack) => {
  expect((await unpackBzImage(aBzImage(pack()), never)).equals(kernel)).toBe(true)
})

it.each([
  ['is no bzImage', Buffer.from('#!/bin/sh')],
  ['is older than the form', aBzImage(gzipSync(kernel), { version: 0x207 })],
  ['says that more is in it than is', aBzImage(gzipSync(kernel), { length: 1 << 30 })],
  ['is packed in an unknown way', aBzImage(Buffer.from('LZMA or something'))],
  ['is broken inside', aBzImage(sized(Buffer.from('28b52ffdffffffff', 'hex')))],
  ['is broken inside, in lz4', aBzImage(literal)],
])('what %s is refused', async (_, file) => {
  await expect(unpackBzImage(file, never)).rejects.toMatchObject({ kind: 'invalid' })
})
