import { expect, it } from 'vitest'
import { readPages } from './documents.ts'

const unwanted = {
  'work that is left': /\b(?:TODO|FIXME|TBD|XXX)\b/,
  'a path of somebody’s machine': /(?<![\w.~])\/(?:home|Users|work|mnt)\/[a-z]/,
  'praise instead of facts':
    /\b(?:blazing|seamless|effortless|powerful|robust|cutting-edge|world-class|state-of-the-art|revolutionary|military-grade|unbreakable)\b/i,
}

it.each(readPages())('$path holds nothing that a page must not', ({ text }) => {
  const found = Object.entries(unwanted).flatMap(([what, pattern]) => {
    const [match] = pattern.exec(text) ?? []
    return match === undefined ? [] : [`${what}: ${match}`]
  })
  expect(found).toEqual([])
})
