import { describe, expect, it } from 'vitest'
import { type LayoutFile, layoutArchive } from './layout-archive.ts'

const aFile = (path: string, parts: readonly string[], sizeBytes?: number): LayoutFile => ({
  path,
  sizeBytes: sizeBytes ?? parts.join('').length,
  async *content() {
    for (const part of parts) yield Buffer.from(part)
  },
})

const archiveOf = async (...files: readonly LayoutFile[]) =>
  Buffer.concat(await Array.fromAsync(layoutArchive(files)))

describe('an OCI layout as an archive', () => {
  it('has its files in order, in blocks, with sums that every tar checks', async () => {
    const archive = await archiveOf(
      aFile('index.json', ['{', '}']),
      aFile('empty', []),
      aFile('whole', ['x'.repeat(512)]),
    )
    expect(archive.length).toBe(512 * (2 + 1 + 2 + 2))
    for (const [at, name, size] of [
      [0, 'index.json', '00000000002\0'],
      [1024, 'empty', '00000000000\0'],
      [1536, 'whole', '00000001000\0'],
    ] as const) {
      const block = Buffer.from(archive.subarray(at, at + 512))
      expect(block.toString('latin1', 0, 100).replaceAll('\0', '')).toBe(name)
      expect(block.toString('latin1', 124, 136)).toBe(size)
      const stored = Number.parseInt(block.toString('latin1', 148, 154), 8)
      block.fill(' ', 148, 156)
      expect(block.reduce((total, byte) => total + byte, 0)).toBe(stored)
    }
  })

  it('writes sizes that eight digits and three more cannot hold', async () => {
    const parts = layoutArchive([aFile('huge', [], 2 ** 33 + 5)])
    const block = Buffer.from((await parts.next()).value ?? [])
    expect([...block.subarray(124, 136)]).toEqual([0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5])
    await expect(parts.next()).rejects.toThrow(RangeError)
  })

  it('is none when a file has another length than it said', async () => {
    for (const size of [2, 4])
      await expect(archiveOf(aFile('f', ['a', 'bc'], size))).rejects.toThrow('f has not the length')
  })
})
