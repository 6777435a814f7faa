import { randomInt } from 'node:crypto'
import { onTestFailed } from 'vitest'

/** Chances that can be taken again: AEGIS_CHAOS_SEED repeats a run. */
export interface SeededRandom {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
}

/** A seed of its own for the test that runs; a test that fails tells it. */
export function makeSeededRandom(): SeededRandom {
  const seed = Number(process.env.AEGIS_CHAOS_SEED ?? randomInt(2 ** 31))
  onTestFailed(() => void process.stderr.write(`Repeat it with AEGIS_CHAOS_SEED=${seed}\n`))
  let state = seed >>> 0
  // Mulberry32: a few lines, and good enough to choose moments.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { below: (limit) => Math.floor(next() * limit) }
}
