import type { PullProgress } from '@aegis/core'
import { formatBytes } from '../terminal/format.ts'

/** `pulling python:3.11: 3 of 7 layers, 45 MiB of 120 MiB, 12 MiB/s`. The text is not safe yet. */
export function describePull(progress: PullProgress, bytesPerSecond: number | undefined): string {
  const { reference, phase } = progress
  switch (phase) {
    case 'resolving':
      return `resolving ${reference}`
    case 'downloading':
      return withFacts(`pulling ${reference}`, [
        ...layersOf(progress),
        ...bytesOf(progress),
        ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
      ])
    case 'extracting':
      return withFacts(`unpacking ${reference}`, layersOf(progress))
    case 'converting':
      return withFacts(`making a disk of ${reference}`, [
        ...(progress.downloadedBytes > 0 ? [formatBytes(progress.downloadedBytes)] : []),
        ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
      ])
    case 'retrying':
      return withFacts(`pulling ${reference} again after a fault`, layersOf(progress))
    case 'done':
      return `pulled ${reference}`
  }
}

const withFacts = (text: string, facts: readonly string[]): string =>
  facts.length === 0 ? text : `${text}: ${facts.join(', ')}`

const layersOf = ({ layers, layersDone }: PullProgress): readonly string[] =>
  layers === 0 ? [] : [`${layersDone} of ${layers} ${layers === 1 ? 'layer' : 'layers'}`]

const bytesOf = ({ downloadedBytes, totalBytes }: PullProgress): readonly string[] =>
  totalBytes === 0 ? [] : [`${formatBytes(downloadedBytes)} of ${formatBytes(totalBytes)}`]
