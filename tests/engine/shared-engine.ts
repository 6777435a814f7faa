import { inject } from 'vitest'
import { callEngine } from './engine-api.ts'
import { type Engine, engineAt } from './test-engine.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The socket at which a test asks for the engine of its run. */
    engineDoor: string
  }
}

/**
 * The engine that all tests of this run share; the first to ask starts it, the run ends it. What a
 * test makes in it, the test removes. One that must be killed or filled is opened by `openTestEngine`.
 */
export async function sharedTestEngine(): Promise<Engine> {
  const door = inject('engineDoor')
  const directory = await callEngine(door, 'GET', '/engine')
  return {
    ...engineAt(directory),
    // Asked at the door, so that two tests do not import it twice.
    image: (name) => callEngine(door, 'GET', `/images/${name}`),
  }
}
