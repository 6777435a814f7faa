import { describe, expect, it } from 'vitest'
import type { Image, ImageStore } from './image-store.ts'
import { pinImage, restoreImage } from './pin-image.ts'

const forever = new AbortController().signal
const options = { policy: 'IfNotPresent', onProgress: () => undefined } as const
const old = `sha256:${'1'.repeat(64)}`
const digest = `node@sha256:${'d'.repeat(64)}`

const imageOf = (id: string, digests: readonly string[] = []): Image => ({
  id,
  references: [],
  digests,
  sizeBytes: 1,
  createdAt: '2026-11-22T15:04:05.123Z',
  pulled: true,
})

interface Names {
  readonly host?: Readonly<Record<string, Image>>
  readonly registry?: Readonly<Record<string, Image>>
}

/** A store that knows these names and no others, and what was asked of its registry. */
function storeOf({ host = {}, registry = {} }: Names) {
  const pulls: string[] = []
  const store: Pick<ImageStore, 'find' | 'pull'> = {
    find: async (reference) => host[reference],
    async pull(reference) {
      pulls.push(reference)
      const image = registry[reference]
      if (image === undefined) throw new Error(`no ${reference}`)
      return image
    },
  }
  return { store, pulls }
}

describe('pinning an image', () => {
  it.each([
    ['node:24', ['other@sha256:1', 'node@sha256:2'], 'node@sha256:2'],
    [
      'localhost:5000/a:1',
      ['a@sha256:1', 'localhost:5000/a@sha256:2'],
      'localhost:5000/a@sha256:2',
    ],
    ['docker.io/library/node:24', ['node@sha256:1'], 'node@sha256:1'],
    ['node@sha256:2', ['other@sha256:1', 'node@sha256:2'], 'node@sha256:2'],
    ['built:1', [], undefined],
  ])('of %s, known as %j, keeps %s to fetch it again', async (reference, digests, expected) => {
    const { store } = storeOf({ host: { [reference]: imageOf(old, digests) } })
    const pin = await pinImage(store, reference, options, forever)
    expect(pin).toEqual({ reference, id: old, ...(expected && { digest: expected }) })
  })
})

describe('restoring a pinned image', () => {
  const pin = { reference: 'node:24', id: old, digest }

  it('asks nobody while it is there', async () => {
    const { store, pulls } = storeOf({ host: { [old]: imageOf(old) } })
    expect(await restoreImage(store, pin, options, forever)).toEqual(pin)
    expect(pulls).toEqual([])
  })

  it('takes the id that a new engine has for the same digest, there or fetched', async () => {
    const renamed = imageOf('sha256:2', [digest])
    const there = storeOf({ host: { [digest]: renamed } })
    expect(await restoreImage(there.store, pin, options, forever)).toEqual({
      ...pin,
      id: 'sha256:2',
    })
    expect(there.pulls).toEqual([])
    const gone = storeOf({ registry: { [digest]: renamed } })
    expect(await restoreImage(gone.store, pin, options, forever)).toEqual({
      ...pin,
      id: 'sha256:2',
    })
    expect(gone.pulls).toEqual([digest])
  })

  it('never takes another image for one that has no digest', async () => {
    const { digest: _, ...built } = pin
    const { store } = storeOf({ registry: { 'node:24': imageOf('sha256:2') } })
    await expect(restoreImage(store, built, options, forever)).rejects.toMatchObject({
      kind: 'conflict',
      code: 'image.changed',
      message: expect.stringContaining('--replace'),
    })
  })

  it('names exactly what to fetch where it may not fetch itself', async () => {
    const { store, pulls } = storeOf({})
    const never = { ...options, policy: 'Never' } as const
    await expect(restoreImage(store, pin, never, forever)).rejects.toMatchObject({
      code: 'image.absent',
      message: expect.stringContaining(`aegis image pull ${digest}`),
    })
    expect(pulls).toEqual([])
  })
})
