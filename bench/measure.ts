/** One figure of a benchmark, with the goal it is held against. */
export interface Figure {
  readonly name: string
  readonly value: string
  /** The ratio to the baseline measured beside it, where there is one. */
  readonly ratio?: number
  readonly goal?: string
  /** Undefined where there is no goal. */
  readonly met?: boolean
}

export interface Benchmark {
  readonly title: string
  /** What is compared with what, in one sentence. */
  readonly about: string
  run(): Promise<readonly Figure[]>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Milliseconds that one call takes. */
export async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await call()
  return performance.now() - start
}

/**
 * Runs subject and baseline in turn, A B A B …, after one warm-up of each, so that a machine that
 * becomes slower or faster meanwhile does so for both. Medians in milliseconds.
 */
export async function inTurn(
  rounds: number,
  subject: () => Promise<unknown>,
  baseline: () => Promise<unknown>,
): Promise<{ readonly subjectMs: number; readonly baselineMs: number; readonly ratio: number }> {
  await subject()
  await baseline()
  const subjects: number[] = []
  const baselines: number[] = []
  for (let round = 0; round < rounds; round++) {
    subjects.push(await timed(subject))
    baselines.push(await timed(baseline))
  }
  const subjectMs = median(subjects)
  const baselineMs = median(baselines)
  return { subjectMs, baselineMs, ratio: subjectMs / baselineMs }
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`
