import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearestWord } from './nearest-word.ts'

describe('nearestWord', () => {
  const known = ['inherit', 'process', 'docker', 'firecracker', 'max_retries']

  it.each([
    ['dokcer', 'docker'],
    ['Docker', 'docker'],
    ['proces', 'process'],
    ['maxRetries', 'max_retries'],
    ['max-retries', 'max_retries'],
  ])('takes %s for %s', (word, meant) => {
    expect(nearestWord(word, known)).toBe(meant)
  })

  it.each(['', 'kvm', 'x', 'qemu-microvm'])('takes %j for nothing', (word) => {
    expect(nearestWord(word, known)).toBeUndefined()
  })
})

describe('editDistance', () => {
  it('is a distance', () => {
    const word = fc.string({ maxLength: 12 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })

  it('counts two neighbours that changed places once', () => {
    expect(editDistance('dokcer', 'docker')).toBe(1)
  })
})
