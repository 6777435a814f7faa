import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AegisError, type Sandbox, type SandboxSpec } from '@aegis/core'
import type { LimitBackend, UserLeases } from '@aegis/sandbox'
import {
  type Box,
  checkHostPaths,
  connectGuest,
  type GuestOptions,
  guestNetwork,
  startBox,
} from '@aegis/sandbox'
import type { HostTree } from './host-tree.ts'
import type { Interpreters } from './interpreters.ts'
import { planMounts } from './mount-plan.ts'
import { makeProcessSandbox, type RuntimeLogger } from './process-sandbox.ts'
import { makeReadOnlyWorkspace, type ReadOnlyWorkspace } from './read-only-workspace.ts'

/** What a runtime found out about its host once, and needs for each boot. */
export interface BootHost {
  readonly launcherPath: string
  readonly bwrapPath: string
  readonly guestPath: string
  /** Where the host directories of read-only workspaces go. */
  readonly workspaces: string
  readonly protectedPaths: readonly string[]
  readonly tree: HostTree
  readonly interpreters: Interpreters
  readonly limits: LimitBackend
  /** Present when we are root. */
  readonly users: UserLeases | undefined
  readonly logger: RuntimeLogger | undefined
  readonly launcherNetwork: boolean
  readonly guestTiming: Pick<GuestOptions, 'helloTimeoutMs' | 'pingIntervalMs' | 'pingTimeoutMs'>
}

/**
 * Boots one sandbox. Whatever a step took is given back in reverse when a later one fails, and else
 * when the sandbox is disposed; `undo` may hold what the caller took before.
 */
export async function bootSandbox(
  host: BootHost,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Sandbox> {
  await using steps = undo.move()
  const started = performance.now()
  await checkHostPaths(spec.filesystem, host.protectedPaths)
  const lease = host.users && steps.use(host.users.take())
  const workspace = await workspaceFor(host, spec, lease?.uid)
  if (workspace) steps.use(workspace)
  const mounts = planMounts({
    spec,
    tree: host.tree,
    guestPath: host.guestPath,
    interpreters: await host.interpreters.mountsFor(spec.interpreter.language),
    readOnlyWorkspace: workspace?.directory,
    staged: lease !== undefined,
    launcherNetwork: host.launcherNetwork,
  })
  const group = await host.limits.create(spec.id, spec.limits)
  steps.defer(() => group.remove())
  signal.throwIfAborted()

  const prepared = performance.now()
  const box = startBox({ ...host, ...group, ...mounts, uid: lease?.uid })
  const kill = async () => {
    await group.kill().catch(() => {})
    // Where no group holds them, the others die with the outermost process.
    box.kill()
  }
  steps.defer(async () => {
    box.wire.destroy()
    await kill()
    await box.exited
  })
  // Bubblewrap may be killed before it has seen to it that all others die with it.
  void box.exited.then(kill)

  const spawned = performance.now()
  const session = await connectGuest(
    box.wire,
    {
      ...host.guestTiming,
      onConnect: spec.onConnect,
      ...(spec.onNotice && { onNotice: spec.onNotice }),
      ...guestNetwork(spec.network, syntheticRange),
      outputLimitBytes: spec.limits.outputBytes,
    },
    signal,
  ).catch((cause: unknown) => whyNot(spec, box, signal, cause))
  const answered = performance.now()

  const resources = steps.move()
  return makeProcessSandbox({
    spec,
    session,
    group,
    workspace,
    bootPhases: {
      prepare: prepared - started,
      spawn: spawned - prepared,
      hello: answered - spawned,
    },
    logger: host.logger,
    kill,
    release: () => resources.disposeAsync(),
  })
}

/** 198.18.0.0/15, which the standards keep for tests: no name of the world leads there. The first
 *  address is the sandbox's own, see the launcher. */
const syntheticRange = { first: '198.18.0.2', count: 131_000 }

async function workspaceFor(
  host: BootHost,
  { id, filesystem, limits }: SandboxSpec,
  uid: number | undefined,
): Promise<ReadOnlyWorkspace | undefined> {
  if (!filesystem.readOnly) return undefined
  const directory = join(host.workspaces, id)
  return makeReadOnlyWorkspace({ directory, limitBytes: limits.diskBytes, uid })
}

/** Says why a box gave no guest: its own words, when it left some, are better than "no hello". */
async function whyNot(
  spec: SandboxSpec,
  box: Box,
  signal: AbortSignal,
  cause: unknown,
): Promise<never> {
  signal.throwIfAborted()
  // A box that failed ends at once; one that merely keeps silent does not.
  const complaint = await Promise.race([box.complaint, delay(endingGraceMs, '')])
  if (complaint === '') throw cause
  const [, use, path] = /^launch: (read|write) (.*): Permission denied$/.exec(complaint) ?? []
  if (use !== undefined)
    throw new AegisError(
      'denied',
      'filesystem.permission',
      `Sandboxes may not ${use} '${path}': the daemon is root, and they act as the owner of a path, but never as root. Give it to another user (chown), or let everybody ${use} it (chmod)`,
    )
  throw new AegisError(
    'unavailable',
    'sandbox.boot',
    `Sandbox ${spec.id} did not come up: ${complaint}. \`aegis doctor\` says what this host lacks`,
    { cause },
  )
}

const endingGraceMs = 200
