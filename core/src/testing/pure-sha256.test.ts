import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { pureSha256 } from './pure-sha256.ts'

it('hashes as the platform does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (data) => {
      expect(Buffer.from(pureSha256(data))).toEqual(createHash('sha256').update(data).digest())
    }),
  )
})
