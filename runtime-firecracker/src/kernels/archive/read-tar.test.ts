import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { aTar } from '../../testing/an-archive.ts'
import { readTar, type TarFile, type TarOptions } from './read-tar.ts'

const anything: TarOptions = { wants: () => true, maxBytes: 1 << 20 }

it('gives back what an archive was made of, however it arrives', async () => {
  const file = fc.record({
    path: fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,90}){0,3}$/),
    content: fc.uint8Array({ maxLength: 1500 }).map((bytes) => Buffer.from(bytes)),
  })
  const property = fc.asyncProperty(
    fc.array(file, { maxLength: 5 }),
    fc.integer({ min: 1, max: 2000 }),
    async (files, size) => {
      expect(await read(aTar(files), size)).toEqual(files)
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

it('refuses whatever else it is given', async () => {
  const whole = aTar([{ path: 'a', content: Buffer.from('content') }])
  const place = fc.nat(whole.length - 1)
  const property = fc.asyncProperty(place, fc.nat(255), place, async (at, byte, end) => {
    const broken = Buffer.from(whole.subarray(0, end))
    if (at < end) broken[at] = byte
    await read(broken, 512).catch((error) => expect(error).toBeInstanceOf(AegisError))
  })
  await fc.assert(property, { numRuns: 200 })
})

it('passes over what nobody wants, and holds no more than it may', async () => {
  const archive = aTar([
    { path: 'doc', content: Buffer.alloc(5000) },
    { path: 'kernel', content: Buffer.alloc(600, 1) },
  ])
  const wants = (path: string) => path === 'kernel'
  expect((await read(archive, 700, { wants, maxBytes: 600 })).map(({ path }) => path)).toEqual([
    'kernel',
  ])
  await expect(read(archive, 700, { wants, maxBytes: 599 })).rejects.toMatchObject({
    code: 'kernel.package',
    message: expect.stringContaining('more than 599 bytes'),
  })
})

async function read(archive: Buffer, size: number, options = anything): Promise<TarFile[]> {
  async function* chunks() {
    for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size)
  }
  return Array.fromAsync(readTar(chunks(), options))
}
