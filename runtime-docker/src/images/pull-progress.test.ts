import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  errorWords,
  foldPullMessage,
  initialPullState,
  maxLayers,
  type PullState,
  progressOf,
  pullMessageSchema,
} from './pull-progress.ts'

const stateAfter = (...messages: readonly unknown[]): PullState =>
  messages.reduce<PullState>(
    (state, message) => foldPullMessage(state, pullMessageSchema.parse(message)),
    initialPullState,
  )
const progressAfter = (...messages: readonly unknown[]) =>
  progressOf('python:3.11', stateAfter(...messages))

const begun = [
  { status: 'Pulling from library/python', id: '3.11' },
  { status: 'Pulling fs layer', progressDetail: {}, id: 'a' },
  { status: 'Pulling fs layer', progressDetail: {}, id: 'b' },
]
const downloading = (id: string, current: number, total: number) => ({
  status: 'Downloading',
  progressDetail: { current, total },
  progress: '[=>   ]',
  id,
})

it('is resolving until a layer is known', () => {
  expect(progressAfter(begun[0])).toEqual({
    reference: 'python:3.11',
    phase: 'resolving',
    layersDone: 0,
    layers: 0,
    downloadedBytes: 0,
    totalBytes: 0,
  })
})

it('adds up what its layers tell', () => {
  const progress = progressAfter(...begun, downloading('a', 10, 100), downloading('b', 5, 50))
  expect(progress).toMatchObject({ phase: 'downloading', layers: 2, layersDone: 0 })
  expect(progress).toMatchObject({ downloadedBytes: 15, totalBytes: 150 })
})

it('follows a pull to its end', () => {
  const fetched = [downloading('a', 60, 100), { status: 'Download complete', id: 'a' }]
  const known = [{ status: 'Already exists', id: 'b' }]
  const extracting = { status: 'Extracting', progressDetail: { current: 30, total: 100 }, id: 'a' }
  expect(progressAfter(...begun, ...known, ...fetched, extracting)).toMatchObject({
    phase: 'extracting',
    layersDone: 1,
    downloadedBytes: 100,
  })
  const end = [extracting, { status: 'Pull complete', id: 'a' }]
  expect(progressAfter(...begun, ...known, ...fetched, ...end)).toMatchObject({ layersDone: 2 })
})

it('shows that the engine tries a layer again', () => {
  const retrying = { status: 'Retrying in 5 seconds', progressDetail: {}, id: 'a' }
  expect(progressAfter(...begun, retrying)).toMatchObject({ phase: 'retrying' })
})

it('does not take the seconds of an extraction for bytes', () => {
  const extracting = { status: 'Extracting', progressDetail: { current: 2, units: 's' }, id: 'a' }
  const before = stateAfter(...begun, downloading('a', 100, 100))
  const after = foldPullMessage(before, extracting)
  expect(progressOf('', after)).toMatchObject({ downloadedBytes: 100, totalBytes: 100 })
  expect(after).not.toBe(before)
})

it('gives the same state for a message that tells nothing new', () => {
  const state = stateAfter(...begun, downloading('a', 10, 100))
  expect(foldPullMessage(state, downloading('a', 10, 100))).toBe(state)
  expect(foldPullMessage(state, { status: 'Digest: sha256:0a' })).toBe(state)
})

it.each([
  [{ errorDetail: { message: 'unexpected EOF' }, error: 'old' }, 'unexpected EOF'],
  [{ error: 'manifest unknown', progressDetail: {} }, 'manifest unknown'],
  [{ errorDetail: 7, error: 'said otherwise' }, 'said otherwise'],
  [{ status: 'Downloading' }, undefined],
])('finds the error in %j', (message, words) => {
  expect(errorWords(pullMessageSchema.parse(message))).toBe(words)
})

it('counts no more layers than an image can have', () => {
  const many = Array.from({ length: maxLayers + 50 }, (_, id) => downloading(`${id}`, 1, 1))
  expect(progressAfter(...many)).toMatchObject({ layers: maxLayers })
})

it('takes any message, and stays sensible', () => {
  const odd = fc.record(
    {
      id: fc.oneof(fc.constantFrom('a', 'b', '__proto__'), fc.anything()),
      status: fc.oneof(
        fc.constantFrom('Pulling fs layer', 'Downloading', 'Download complete', 'Extracting'),
        fc.constantFrom('Pull complete', 'Already exists', 'Retrying in 1 second', 'Waiting'),
        fc.anything(),
      ),
      progressDetail: fc.oneof(
        fc.record({ current: fc.double(), total: fc.double() }, { requiredKeys: [] }),
        fc.record({ current: fc.maxSafeInteger(), units: fc.constantFrom('', 's') }),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(odd, fc.anything())), (messages) => {
      const progress = progressAfter(...messages)
      expect(progress.layersDone).toBeLessThanOrEqual(progress.layers)
      expect(progress.downloadedBytes).toBeGreaterThanOrEqual(0)
      expect(progress.downloadedBytes).toBeLessThanOrEqual(progress.totalBytes)
      expect(Number.isSafeInteger(progress.totalBytes)).toBe(true)
      expect(progress.phase).not.toBe('done')
    }),
  )
})
