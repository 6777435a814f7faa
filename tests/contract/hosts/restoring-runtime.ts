import { createHash } from 'node:crypto'
import {
  agentId,
  type Sandbox,
  type SandboxRuntime,
  type SandboxSnapshots,
  type SandboxSpec,
  type SnapshotSubject,
  sandboxId,
} from '@aegis/core'

/** Sandboxes of a runtime as they come out of snapshots: each spec has one made of it first. */
export function restoringRuntime(runtime: SandboxRuntime): SandboxRuntime {
  const { snapshots } = runtime
  if (snapshots === undefined) throw new Error('The runtime makes no snapshots')
  return {
    ...runtime,
    async boot(spec, signal) {
      const subject = subjectOf(spec)
      // What is wrong with a spec is for the boot to say.
      if (!(await snapshots.has(subject))) await makeOne(snapshots, subject, spec, signal)
      const restored = await snapshots.restore(subject, spec, signal)
      if (restored === undefined) throw new Error(`Nothing was kept of ${spec.id}`)
      restored.standby.closeStdin()
      await restored.standby.exit
      return restored.sandbox satisfies Sandbox
    },
    [Symbol.asyncDispose]: () => runtime[Symbol.asyncDispose](),
  }
}

async function makeOne(
  snapshots: SandboxSnapshots,
  subject: SnapshotSubject,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<void> {
  const own = { ...spec, id: sandboxId(`${spec.id.slice(0, 50)}-template`) }
  await using template = await snapshots.bootTemplate(own, signal)
  await template.exec(subject.command, signal)
  await template.keep(subject, signal)
}

/** Sandboxes that differ in what a snapshot depends on have another one. */
function subjectOf({ limits, filesystem, interpreter }: SandboxSpec): SnapshotSubject {
  const text = JSON.stringify([limits, filesystem, interpreter])
  return {
    agentId: agentId(createHash('sha256').update(text).digest('hex').slice(0, 32)),
    agentRevision: 1,
    files: [],
    command: { argv: ['cat'], env: { PATH: '/usr/bin:/bin' }, cwd: '/' },
  }
}
