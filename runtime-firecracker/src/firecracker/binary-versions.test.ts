import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isOlder, parseVersion } from './binary-versions.ts'

it.each([
  ['Firecracker v1.16.1\n\nSupported snapshot data format versions: v10.0.0\n', '1.16.1'],
  ['Firecracker v1.17.0-dev\n', '1.17.0-dev'],
  ['Jailer v1.16.1\n', undefined],
  ['Firecracker 1.16.1\n', undefined],
  ['', undefined],
])('reads %j', (said, version) => {
  expect(parseVersion(said, 'Firecracker')).toBe(version)
})

it.each(['1.16.0', '1.9.9', '0.99.0'])('calls %s too old', (version) => {
  expect(isOlder(version)).toBe(true)
})

it.each(['1.16.1', '1.16.2', '1.17.0-dev', '2.0.0'])('takes %s', (version) => {
  expect(isOlder(version)).toBe(false)
})

it('takes any words', () => {
  fc.assert(fc.property(fc.string(), (said) => void parseVersion(said, 'Firecracker')))
})
