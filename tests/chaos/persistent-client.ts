import { AegisError, type ControlPlane } from '@aegis/core'

/** A client that does not give up while the daemon comes and goes. */
export interface PersistentClient {
  /** Queues executions one after the other; resolves when the last one is acknowledged. */
  submit(tasks: readonly Task[]): Promise<void>
  /** What was acknowledged: the task of each execution's id. */
  readonly acknowledged: ReadonlyMap<string, Task>
  /** To be called when the daemon serves again. */
  resume(): void
}

export interface Task {
  readonly agent: string
  readonly input: string
}

export function makePersistentClient(plane: ControlPlane): PersistentClient {
  const acknowledged = new Map<string, Task>()
  let served = Promise.withResolvers<void>()

  const execute = async (task: Task): Promise<string> => {
    for (;;) {
      const nextLife = served.promise
      try {
        return await plane.executions.execute(task.agent, task.input)
      } catch (error) {
        if (!(error instanceof AegisError) || error.kind !== 'unavailable') throw error
        await nextLife
      }
    }
  }

  return {
    acknowledged,
    async submit(tasks) {
      for (const task of tasks) acknowledged.set(await execute(task), task)
    },
    resume() {
      served.resolve()
      served = Promise.withResolvers()
    },
  }
}
