import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aVmlinux, failureOf, loadedAt } from '../testing/a-vmlinux.ts'
import { inspectKernel } from './inspect-kernel.ts'

describe('a kernel', () => {
  it('tells its version, and how it is started and told of its disks', () => {
    expect(inspectKernel(aVmlinux())).toEqual({
      linux: '6.1.90',
      pvh: true,
      commandLineDevices: false,
    })
    const told = aVmlinux({ pvh: false, text: 'virtio_mmio.device' })
    expect(inspectKernel(told)).toMatchObject({ pvh: false, commandLineDevices: true })
  })

  it('is not taken for one by the format of its banner alone', () => {
    const kernel = aVmlinux({
      banner: 'Linux version %s (x)\0Linux version 6.18.3-cloud-amd64 (y)',
    })
    expect(inspectKernel(kernel).linux).toBe('6.18.3-cloud-amd64')
  })
})

describe('what is no kernel', () => {
  it.each([
    ['an empty file', Buffer.alloc(0), /not an ELF file/],
    ['a script', Buffer.from('#!/bin/sh\necho hello\n'), /not an ELF file/],
    ['a kernel for another processor', aVmlinux({ machine: 183 }), /not for x86-64/],
    ['a library', aVmlinux({ type: 3 }), /a library/],
    ['another program', aVmlinux({ banner: 'GNU Hurd' }), /not Linux/],
    ['one that begins outside itself', aVmlinux({ entry: 0x10n }), /entered where nothing/],
    ['one whose note points elsewhere', aVmlinux({ pvh: loadedAt - 1 }), /PVH note that points/],
    ['a part of a file', aVmlinux().subarray(0, 300), /behind its own end/],
    ['a compressed one', Buffer.from('fd377a585a000004', 'hex'), /compressed with xz/],
  ])('%s is refused', (_, file, words) => {
    expect(failureOf(() => inspectKernel(file))).toMatchObject({
      kind: 'invalid',
      code: 'kernel.invalid',
      message: expect.stringMatching(words),
    })
  })

  it('a kernel that keeps its drivers as modules is refused, by the names of those it lacks', () => {
    const distribution = aVmlinux({ drivers: ['virtio-mmio', 'ext4'] })
    expect(() => inspectKernel(distribution)).toThrow(
      /no virtio_blk, erofs built in.*CONFIG_VIRTIO_BLK=y/s,
    )
  })

  it('a bzImage is told apart, with what unpacks it', () => {
    const image = Buffer.alloc(4096)
    image.write('HdrS', 0x202)
    expect(() => inspectKernel(image)).toThrow(/bzImage.*extract-vmlinux/s)
  })

  it('is refused as such whatever is in the file', () => {
    const hostile = fc.tuple(
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 12 }),
      fc.nat(5000),
    )
    fc.assert(
      fc.property(hostile, ([changes, length]) => {
        const file = aVmlinux()
        for (const [at, byte] of changes) file[at] = byte
        const error = failureOf(() => inspectKernel(file.subarray(0, length)))
        if (error !== undefined) expect(error).toBeInstanceOf(AegisError)
      }),
      { numRuns: 1000 },
    )
  })
})
