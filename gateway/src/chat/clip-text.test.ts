import fc from 'fast-check'
import { expect, it } from 'vitest'
import { clipText } from './clip-text.ts'

it('leaves alone what fits, and cuts the rest within the bound', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 80 }),
      fc.integer({ min: 16, max: 100 }),
      (text, maxBytes) => {
        const clipped = clipText(text, maxBytes)
        expect(Buffer.byteLength(clipped)).toBeLessThanOrEqual(maxBytes)
        if (Buffer.byteLength(text) <= maxBytes) expect(clipped).toBe(text)
        else expect(clipped).toMatch(/…\[cut\]$/)
      },
    ),
  )
})
