import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { failureOf } from '../../testing/a-vmlinux.ts'
import { anAr } from '../../testing/an-archive.ts'
import { readAr } from './read-ar.ts'

it('gives back what an archive was made of', () => {
  const member = fc.record({
    name: fc.stringMatching(/^[a-z][a-z.-]{0,14}$/),
    content: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  })
  fc.assert(
    fc.property(fc.array(member, { maxLength: 5 }), (members) => {
      expect(readAr(anAr(members))).toEqual(members)
    }),
  )
})

it('refuses whatever else it is given', () => {
  const whole = anAr([{ name: 'data.tar.xz', content: Buffer.from('content') }])
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, end) => {
      const broken = Buffer.from(whole.subarray(0, end))
      if (at < end) broken[at] = byte
      const error = failureOf(() => readAr(broken))
      if (error !== undefined) expect(error).toBeInstanceOf(AegisError)
    }),
  )
})

it('reads no more parts than a package can have', () => {
  const many = Array.from({ length: 17 }, () => ({ name: 'a', content: Buffer.alloc(0) }))
  expect(failureOf(() => readAr(anAr(many)))).toMatchObject({ code: 'kernel.package' })
})
