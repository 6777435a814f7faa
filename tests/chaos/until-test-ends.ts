import { onTestFinished } from 'vitest'

/** Disposes it when the test is over, also when that ran out of time; the latest one first. */
export function untilTestEnds<Resource extends AsyncDisposable>(resource: Resource): Resource {
  onTestFinished(async () => resource[Symbol.asyncDispose]())
  return resource
}
