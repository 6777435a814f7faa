import type { PullProgress } from '@aegis/core'
import { describePull } from './describe-pull.ts'
import { addSample, type DownloadSample, rateOf } from './download-rate.ts'

/** One pull in words. Texts are raw: the printer makes them safe. */
export interface PullReport {
  /** How far it is, for a line that is drawn again and again. */
  now(progress: PullProgress, atMs: number): string
  /** The same where lines stay: undefined when it is too early for another one. */
  news(progress: PullProgress, atMs: number): string | undefined
}

/** Between two lines about the same phase. */
const newsEveryMs = 10_000

export function makePullReport(): PullReport {
  let samples: readonly DownloadSample[] = []
  let told: { readonly phase: PullProgress['phase']; readonly atMs: number } | undefined
  const toldPhases = new Set<PullProgress['phase']>()
  const now = (progress: PullProgress, atMs: number): string => {
    samples = addSample(samples, { atMs, bytes: progress.downloadedBytes })
    return describePull(progress, rateOf(samples))
  }
  return {
    now,
    news(progress, atMs) {
      const text = now(progress, atMs)
      const { phase } = progress
      // Layers go up and down between the phases; a fault is news each time.
      const isNew = !toldPhases.has(phase) || (phase === 'retrying' && told?.phase !== phase)
      const isDue = told === undefined || atMs - told.atMs >= newsEveryMs
      if (phase === 'done' || !(isNew || isDue)) return undefined
      toldPhases.add(phase)
      told = { phase, atMs }
      return text
    },
  }
}
