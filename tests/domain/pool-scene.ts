import type { aManifest } from '@aegis/core/testing'
import { expect, onTestFinished } from 'vitest'
import { openScene, type Scene } from './domain-scene.ts'
import { makeFakeClock } from './fake-clock.ts'

type Options = NonNullable<Parameters<typeof openScene>[0]>

/** A node with a pool and a clock that the test moves; it is stopped at the end. */
export async function openPool(options: Options = {}) {
  const clock = makeFakeClock()
  const scene = await openScene({ clock, warmPool: {}, ...options })
  onTestFinished(() => scene.node.stop())
  return Object.assign(scene, { clock })
}

/** What makes `size` sandboxes of an agent wait. */
export const kept = (size: number, changes: Parameters<typeof aManifest>[1] = {}) => ({
  ...changes,
  advanced: { warm_pool_size: size },
})

/** How the sandbox of an execution was come by. */
export async function startOf(scene: Scene, id: string) {
  const events = await scene.finished(id)
  expect(events.at(-1)).toMatchObject({ type: 'execution.completed' })
  return events.flatMap((event) =>
    event.type === 'execution.sandbox-booted' ? [{ warm: event.warm, id: event.sandboxId }] : [],
  )
}

/** Runs a task to its end. */
export const runOne = async (scene: Scene, agent = 'echo') =>
  startOf(scene, await scene.plane.executions.execute(agent, 'Hello'))

/** Resolves when it is given up. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
