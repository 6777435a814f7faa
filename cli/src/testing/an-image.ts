import type { ImageSummary, PullProgress } from '@aegis/core'

const digits = (character: string) => character.repeat(64)

/** An image as a node tells of it, and `changes`. */
export const anImage = (changes: Partial<ImageSummary> = {}): ImageSummary => ({
  id: `sha256:${digits('a')}`,
  references: ['python:3.11'],
  digests: [`python@sha256:${digits('b')}`],
  sizeBytes: 120 * 1024 * 1024,
  createdAt: '2026-11-20T00:00:00.000Z',
  pulled: true,
  agents: [],
  ...changes,
})

/** A pull in the middle, and `changes`. */
export const aProgress = (changes: Partial<PullProgress> = {}): PullProgress => ({
  reference: 'python:3.11',
  phase: 'downloading',
  layersDone: 1,
  layers: 3,
  downloadedBytes: 0,
  totalBytes: 40 * 1024 * 1024,
  ...changes,
})
