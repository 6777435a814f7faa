import { describe, expect, it } from 'vitest'
import { crc32c } from './crc32c.ts'
import { deviceNumber } from './on-disk.ts'
import { namesOf } from './tree.ts'

describe('the form on disk', () => {
  it('sums as RFC 3720 does, but for the inversion at the end', () => {
    const inverted = (bytes: Uint8Array) => (~crc32c(bytes) >>> 0).toString(16)
    expect(inverted(Buffer.from('123456789'))).toBe('e3069283')
    expect(inverted(Buffer.alloc(32))).toBe('8a9136aa')
    expect(inverted(Buffer.alloc(32, 0xff))).toBe('62a8ab43')
  })

  it('numbers devices as the kernel does', () => {
    expect(deviceNumber(1, 3)).toBe(0x103)
    expect(deviceNumber(259, 0x12345)).toBe(0x12310345)
    expect(deviceNumber(0xfff, 0xfffff)).toBe(0xffffffff)
  })
})

describe('a path in an image', () => {
  it('begins at the root, whether it says so or not', () => {
    for (const path of ['usr/bin', '/usr/bin', './usr//bin/', '//usr/./bin'])
      expect(namesOf(path)).toEqual(['usr', 'bin'])
    expect(namesOf('./')).toEqual([])
  })

  it('is refused when it could lead out of the image, or no file system could hold it', () => {
    for (const path of ['../etc', 'a/../../b', 'a\0b', `a/${'n'.repeat(256)}`, 'a/'.repeat(3000)])
      expect(() => namesOf(path)).toThrow(expect.objectContaining({ code: 'image.path' }))
    expect(namesOf('..a/b..')).toEqual(['..a', 'b..'])
  })
})
