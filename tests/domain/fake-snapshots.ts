import type { AgentId, SandboxRuntime, SandboxSnapshots, SnapshotSubject } from '@aegis/core'

export interface FakeSnapshots {
  /** What is kept now: `<agent> <revision>`. */
  readonly kept: Set<string>
  readonly made: string[]
  readonly restored: string[]
  /** Thrown by the next restore. */
  refusal: Error | undefined
  /** The next restored one is lost as soon as it is up. */
  isDeadly: boolean
  /** Thrown by each making. */
  obstacle: Error | undefined
  /** Gives a runtime in this process snapshots: what is restored is booted and filled like the first. */
  over(runtime: SandboxRuntime): SandboxRuntime
}

type Version = Pick<SnapshotSubject, 'agentId' | 'agentRevision'>

export function makeFakeSnapshots(): FakeSnapshots {
  const keyOf = ({ agentId, agentRevision }: Version) => `${agentId} ${agentRevision}`
  const fake: FakeSnapshots = {
    kept: new Set(),
    made: [],
    restored: [],
    refusal: undefined,
    isDeadly: false,
    obstacle: undefined,
    over: (runtime) => ({ ...runtime, snapshots: snapshotsOf(runtime) }),
  }

  const snapshotsOf = (runtime: SandboxRuntime): SandboxSnapshots => ({
    has: async (version) => fake.kept.has(keyOf(version)),
    async bootTemplate(spec, signal) {
      const sandbox = await runtime.boot(spec, signal)
      return {
        ...sandbox,
        async keep(subject) {
          if (fake.obstacle) throw fake.obstacle
          fake.kept.add(keyOf(subject))
          fake.made.push(keyOf(subject))
        },
      }
    },
    async restore(subject, spec, signal) {
      if (!fake.kept.has(keyOf(subject))) return undefined
      if (fake.refusal) {
        const { refusal } = fake
        fake.refusal = undefined
        fake.kept.delete(keyOf(subject))
        throw refusal
      }
      const sandbox = await runtime.boot(spec, signal)
      await sandbox.writeFiles(subject.files, signal)
      fake.restored.push(keyOf(subject))
      const standby = await sandbox.exec(subject.command, signal)
      if (fake.isDeadly) await sandbox[Symbol.asyncDispose]()
      fake.isDeadly = false
      return { sandbox, standby }
    },
    async retain(isWanted) {
      for (const key of fake.kept) {
        const [id, revision] = key.split(' ')
        if (!isWanted(id as AgentId, Number(revision))) fake.kept.delete(key)
      }
    },
  })
  return fake
}
