import type { PullProgress } from '@aegis/core'
import * as z from 'zod'

/** Most layers that are counted; engines refuse images of more than 127. */
export const maxLayers = 256

/** Bytes that a layer is believed to have at most, so that sums stay exact. */
const maxLayerBytes = 2 ** 44

const amount = z.number().finite().optional().catch(undefined)
const words = z.string().optional().catch(undefined)

/** One message of an engine's pull. Whatever is odd in it counts as not there. */
export const pullMessageSchema = z
  .object({
    id: words,
    status: words,
    progressDetail: z
      .object({ current: amount, total: amount, units: words })
      .optional()
      .catch(undefined),
    error: words,
    errorDetail: z.object({ message: words }).optional().catch(undefined),
  })
  .catch({})

export type PullMessage = z.infer<typeof pullMessageSchema>

interface Layer {
  readonly step: 'waiting' | 'downloading' | 'retrying' | 'downloaded' | 'extracting' | 'done'
  readonly downloadedBytes: number
  readonly totalBytes: number
  /** Bytes or seconds, whatever this engine counts; a change is a sign of life. */
  readonly extracted: number
}

/** What is known of the layers of one pull. */
export type PullState = ReadonlyMap<string, Layer>

export const initialPullState: PullState = new Map()

/** The error by which a pull ends, in the engine's words; it comes in the midst of the stream. */
export const errorWords = ({ error, errorDetail }: PullMessage): string | undefined =>
  errorDetail?.message ?? error

/** The state after one more message: the same object when that told nothing new. */
export function foldPullMessage(state: PullState, message: PullMessage): PullState {
  const { id, status = '' } = message
  const step = stepOf(status)
  if (id === undefined || step === undefined) return state
  const before = state.get(id)
  if (before === undefined && state.size >= maxLayers) return state
  const after = nextLayer(before ?? unknownLayer, step, message)
  if (before !== undefined && isSame(before, after)) return state
  return new Map(state).set(id, after)
}

/** How far a pull is, as core wants to know it. */
export function progressOf(reference: string, state: PullState): PullProgress {
  const layers = [...state.values()]
  return {
    reference,
    phase: phaseOf(layers),
    layersDone: layers.filter(({ step }) => step === 'done').length,
    layers: layers.length,
    downloadedBytes: layers.reduce((sum, layer) => sum + layer.downloadedBytes, 0),
    totalBytes: layers.reduce((sum, layer) => sum + layer.totalBytes, 0),
  }
}

const unknownLayer: Layer = { step: 'waiting', downloadedBytes: 0, totalBytes: 0, extracted: 0 }

/** Docker and Podman use the same words; messages of other kinds are not about a layer. */
function stepOf(status: string): Layer['step'] | undefined {
  if (status.startsWith('Retrying in')) return 'retrying'
  switch (status) {
    case 'Pulling fs layer':
    case 'Waiting':
      return 'waiting'
    case 'Downloading':
      return 'downloading'
    case 'Verifying Checksum':
    case 'Download complete':
      return 'downloaded'
    case 'Extracting':
      return 'extracting'
    case 'Pull complete':
    case 'Already exists':
      return 'done'
    default:
      return undefined
  }
}

function nextLayer(layer: Layer, step: Layer['step'], { progressDetail }: PullMessage): Layer {
  const { current = 0, total = 0, units } = progressDetail ?? {}
  const countsBytes = units === undefined || units === ''
  const currentBytes = countsBytes ? bytesOf(current) : 0
  const totalBytes = Math.max(layer.totalBytes, countsBytes ? bytesOf(total) : 0)
  switch (step) {
    case 'waiting':
    case 'retrying':
      return { ...layer, step }
    case 'downloading': {
      const least = Math.max(totalBytes, currentBytes)
      return { ...layer, step, downloadedBytes: currentBytes, totalBytes: least }
    }
    case 'extracting':
      return { step, downloadedBytes: totalBytes, totalBytes, extracted: bytesOf(current) }
    case 'downloaded':
    case 'done':
      return { ...layer, step, downloadedBytes: totalBytes, totalBytes }
  }
}

const bytesOf = (value: number): number => Math.min(Math.max(0, Math.trunc(value)), maxLayerBytes)

const isSame = (one: Layer, other: Layer): boolean =>
  one.step === other.step &&
  one.downloadedBytes === other.downloadedBytes &&
  one.totalBytes === other.totalBytes &&
  one.extracted === other.extracted

function phaseOf(layers: readonly Layer[]): PullProgress['phase'] {
  if (layers.length === 0) return 'resolving'
  const is = (step: Layer['step']): boolean => layers.some((layer) => layer.step === step)
  if (is('downloading')) return 'downloading'
  if (is('retrying')) return 'retrying'
  if (is('extracting')) return 'extracting'
  return is('waiting') ? 'downloading' : 'extracting'
}
