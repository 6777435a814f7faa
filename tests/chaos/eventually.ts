import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 20

/**
 * Looks again and again until `look` gives something, for what announces itself to nobody: the
 * state of /proc and of cgroups.
 */
export async function eventually<Value>(
  look: () => Promise<Value | undefined>,
  withinMs = 10_000,
): Promise<Value> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`Not within ${withinMs} ms: ${look}`)
    await delay(pollMs)
  }
}
