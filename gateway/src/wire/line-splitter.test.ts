import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeLineSplitter } from './line-splitter.ts'

it('finds the same lines however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.json(), { maxLength: 10 }),
      fc.integer({ min: 1, max: 9 }),
      (values, size) => {
        const bytes = Buffer.from(values.map((value) => `${value}\r\n`).join(''))
        const splitter = makeLineSplitter()
        const found: string[] = []
        for (let at = 0; at < bytes.length; at += size) {
          for (const { data } of splitter.push(bytes.subarray(at, at + size))) found.push(data)
        }
        expect(found).toEqual(values.map((value) => value.trim()))
      },
    ),
  )
})

it('gives what is left when the last line has no end', () => {
  const splitter = makeLineSplitter()
  expect(splitter.push(Buffer.from('{"a":1}'))).toEqual([])
  expect(splitter.flush()?.data).toBe('{"a":1}')
  expect(splitter.flush()).toBeUndefined()
})
