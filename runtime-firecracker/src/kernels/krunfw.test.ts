import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { aKrunfw } from '../testing/a-krunfw.ts'
import { failureOf } from '../testing/a-vmlinux.ts'
import { pvhEntryOf } from './elf/elf-notes.ts'
import { readElf } from './elf/read-elf.ts'
import { inspectKernel } from './inspect-kernel.ts'
import { kernelOfKrunfw } from './krunfw.ts'

it('takes the kernel out of the library, with where it is loaded and entered', () => {
  const kernel = kernelOfKrunfw(aKrunfw())
  const elf = readElf(kernel)
  expect(elf).toMatchObject({ type: 2, entry: 0x1000123n })
  expect(elf.segments[0]).toMatchObject({ physicalAddress: 0x1000000n, fileSize: 8192 })
  expect(pvhEntryOf(kernel, elf)).toBe(0x1000010n)
  expect(inspectKernel(kernel)).toEqual({ linux: '6.12.91', pvh: true, commandLineDevices: true })
})

it('refuses a library that says of its kernel what cannot be', () => {
  for (const broken of [
    aKrunfw({ size: 9000 }),
    aKrunfw({ entry: 0x2000000 }),
    aKrunfw({ pvh: 0x3000000 }),
    aKrunfw({ bundle: 'OTHER_BUNDLE' }),
    aKrunfw({ moves: 2 }),
  ])
    expect(failureOf(() => kernelOfKrunfw(broken))).toMatchObject({ code: 'kernel.invalid' })
})

it('either reads or refuses any library', () => {
  const whole = aKrunfw()
  // Headers, symbols, names and code lie in the first 1024 bytes.
  const changes = fc.array(fc.tuple(fc.nat(1023), fc.nat(255)), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(changes, fc.integer({ min: 0, max: whole.length }), (places, end) => {
      const broken = Buffer.from(whole)
      for (const [at, byte] of places) broken[at] = byte
      for (const file of [broken, broken.subarray(0, end)]) {
        const error = failureOf(() => kernelOfKrunfw(file))
        if (error !== undefined) expect(error).toBeInstanceOf(AegisError)
      }
    }),
    { numRuns: 1000 },
  )
})
