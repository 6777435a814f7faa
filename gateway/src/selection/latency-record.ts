import type { Candidate } from './model-catalog.ts'

/** How long each model took to begin its answer, lately. */
export interface LatencyRecord {
  /** Exponentially weighted mean of the time to the first byte; absent before the first answer. */
  meanMs(candidate: Candidate): number | undefined
  add(candidate: Candidate, firstByteMs: number): void
}

/** Weight of the newest measurement. */
const alpha = 0.3

export function makeLatencyRecord(): LatencyRecord {
  const means = new Map<string, number>()
  const keyOf = ({ provider, model }: Candidate) => `${provider.name}/${model.model}`
  return {
    meanMs: (candidate) => means.get(keyOf(candidate)),
    add(candidate, firstByteMs) {
      const key = keyOf(candidate)
      const mean = means.get(key)
      means.set(key, mean === undefined ? firstByteMs : mean + alpha * (firstByteMs - mean))
    },
  }
}
