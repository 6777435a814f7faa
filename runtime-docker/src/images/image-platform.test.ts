import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isSamePlatform, platformOf } from './image-platform.ts'

it.each([
  [
    { Os: 'linux', Architecture: 'amd64' },
    { OSType: 'linux', Os: 'linux', Architecture: 'x86_64' },
  ],
  [
    { Os: 'linux', Architecture: 'arm64' },
    { Os: 'Linux', Architecture: 'aarch64' },
  ],
  [
    { Os: 'linux', Architecture: '' },
    { Os: 'linux', Architecture: 'amd64' },
  ],
  [{}, { Os: 'linux', Architecture: 'amd64' }],
])('finds that %j runs on %j', (image, engine) => {
  expect(isSamePlatform(platformOf(image), platformOf(engine))).toBe(true)
})

it.each([
  [
    { Os: 'linux', Architecture: 'arm64' },
    { Os: 'linux', Architecture: 'x86_64' },
  ],
  [
    { Os: 'windows', Architecture: 'amd64' },
    { Os: 'linux', Architecture: 'amd64' },
  ],
])('finds that %j does not run on %j', (image, engine) => {
  expect(isSamePlatform(platformOf(image), platformOf(engine))).toBe(false)
})

it('takes whatever an engine says', () => {
  fc.assert(fc.property(fc.anything(), (inspection) => void platformOf(inspection)))
})
