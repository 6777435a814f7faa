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

/** The smallest value that `percent` of all do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** Milliseconds that one call takes. */
export async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await call()
  return performance.now() - start
}

/**
 * Makes calls in turn, A B C A B C …, after one warm-up of each, so that a machine that becomes
 * slower or faster meanwhile does so for all. `ready` comes before each and is not measured. The
 * milliseconds of each call, in the order of `calls`.
 */
export async function takeTurns(
  rounds: number,
  calls: readonly (() => Promise<unknown>)[],
  ready: () => Promise<unknown> = async () => undefined,
): Promise<readonly (readonly number[])[]> {
  const turns = calls.map((call) => ({ call, times: [] as number[] }))
  for (let round = 0; round <= rounds; round++) {
    for (const { call, times } of turns) {
      await ready()
      const time = await timed(call)
      if (round > 0) times.push(time)
    }
  }
  return turns.map(({ times }) => times)
}

/** Subject and baseline in turn: their medians in milliseconds. */
export async function inTurn(
  rounds: number,
  subject: () => Promise<unknown>,
  baseline: () => Promise<unknown>,
  ready?: () => Promise<unknown>,
): Promise<{ readonly subjectMs: number; readonly baselineMs: number; readonly ratio: number }> {
  const [subjects = [], baselines = []] = await takeTurns(rounds, [subject, baseline], ready)
  const subjectMs = median(subjects)
  const baselineMs = median(baselines)
  return { subjectMs, baselineMs, ratio: subjectMs / baselineMs }
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`
