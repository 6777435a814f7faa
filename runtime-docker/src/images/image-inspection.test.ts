import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inspectedImageSchema, listedImageSchema } from './image-inspection.ts'

const hex = '0a'.repeat(32)

it('reads an entry of a list as Docker writes it', () => {
  const entry = {
    Id: `sha256:${hex}`,
    RepoTags: ['python:3.11', 'ghcr.io/acme/agent:1'],
    RepoDigests: [`python@sha256:${hex}`],
    Created: 1_700_000_000,
    Size: 1234,
    SharedSize: -1,
  }
  expect(listedImageSchema.parse(entry)).toEqual({
    id: `sha256:${hex}`,
    references: ['python:3.11', 'ghcr.io/acme/agent:1'],
    digests: [`python@sha256:${hex}`],
    sizeBytes: 1234,
    createdAt: '2023-11-14T22:13:20.000Z',
  })
})

it('shortens the names that Podman writes in full', () => {
  const entry = { Id: hex, RepoTags: ['docker.io/library/python:3.11'], Created: 0, Size: 1 }
  expect(listedImageSchema.parse(entry)).toMatchObject({
    id: `sha256:${hex}`,
    references: ['python:3.11'],
    digests: [],
  })
})

it('knows an image that lost its names', () => {
  const entry = { Id: hex, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'], Size: 1 }
  expect(listedImageSchema.parse(entry)).toMatchObject({ references: [], digests: [] })
  const untagged = { Id: hex, RepoTags: null, RepoDigests: null, Size: 1 }
  expect(inspectedImageSchema.parse(untagged)).toMatchObject({ references: [], digests: [] })
})

it.each([
  ['2024-02-01T10:20:30.123456789Z', '2024-02-01T10:20:30.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['', '1970-01-01T00:00:00.000Z'],
  [undefined, '1970-01-01T00:00:00.000Z'],
  ['soon', '1970-01-01T00:00:00.000Z'],
])('reads the time %s as %s', (time, expected) => {
  const image = inspectedImageSchema.parse({ Id: hex, Size: 1, Created: time })
  expect(image.createdAt).toBe(expected)
})

it('gives a time for any number', () => {
  fc.assert(
    fc.property(fc.double(), (seconds) => {
      const image = listedImageSchema.parse({ Id: hex, Size: 1, Created: seconds })
      expect(image.createdAt).toMatch(/Z$/)
    }),
  )
})
