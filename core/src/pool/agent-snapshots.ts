import type { AuditTrail } from '../audit/audit-entry.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AgentId, Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { LiveSandboxes } from '../sandbox/live-sandboxes.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type {
  RestoredSandbox,
  SandboxSnapshots,
  SnapshotSubject,
} from '../sandbox/sandbox-snapshots.ts'
import type { SandboxSpec } from '../sandbox/sandbox-spec.ts'
import { type BootstrapOf, canStandBy } from './agent-program.ts'
import type { SandboxContents } from './sandbox-contents.ts'
import { aboutOf, permittedSpecOf, type SandboxRecipe } from './sandbox-recipe.ts'

/**
 * Snapshots of agents' sandboxes: each is taken once the agent's program waits for its task, and
 * stands in for the boots that follow. Whatever goes wrong with one, a boot does without.
 */
export interface AgentSnapshots {
  /** Whether the next boot ahead should make one. */
  lacks(recipe: SandboxRecipe): boolean
  /** Makes one where it is missing and can be made. What fails is logged. */
  ensure(recipe: SandboxRecipe, contents: SandboxContents, signal: AbortSignal): Promise<void>
  /** Undefined: it is to be booted. A snapshot that is refused is audited. */
  restore(
    recipe: SandboxRecipe,
    contents: SandboxContents,
    spec: SandboxSpec,
    signal: AbortSignal,
  ): Promise<RestoredSandbox | undefined>
  /** This revision of an agent is in use from now on: the snapshots of others are removed. */
  welcome(agentId: AgentId, revision: number): void
  /** The agent is paused or gone: nothing is kept for it. */
  dismiss(agentId: AgentId): void
  /** All agents were welcomed: the snapshots of those that were not are removed. */
  settle(): void
}

interface Deps {
  readonly bootstrap: BootstrapOf
  readonly policies: Pick<PolicyEngine, 'forAgent'>
  readonly runtimes: ReadonlyMap<unknown, SandboxRuntime>
  readonly sandboxes: LiveSandboxes
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

/** Of one version of an agent while this node runs: what fails that often is booted instead. */
const maxTries = 3

interface Standing {
  isKept: boolean
  tries: number
  /** Those who want it wait for each other, so that it is made once. */
  turn: Promise<void>
}

/** A snapshot to be made. */
interface Missing {
  readonly recipe: SandboxRecipe
  readonly contents: SandboxContents
  readonly subject: SnapshotSubject
}

export function makeAgentSnapshots(deps: Deps): AgentSnapshots {
  const { sandboxes, audit, clock, logger } = deps
  const standings = new Map<string, Standing>()
  const revisions = new Map<AgentId, number | undefined>()
  let isSettled = false
  let isTidyDue = false

  const standingOf = (recipe: SandboxRecipe): Standing => {
    const key = standingKey(recipe)
    const standing = standings.get(key) ?? { isKept: false, tries: 0, turn: Promise.resolve() }
    standings.set(key, standing)
    return standing
  }

  const isWanted = (agentId: AgentId, revision: number): boolean =>
    revisions.has(agentId) ? revisions.get(agentId) === revision : !isSettled

  const tidy = async (): Promise<void> => {
    isTidyDue = false
    try {
      for (const { snapshots } of deps.runtimes.values()) await snapshots?.retain(isWanted)
    } catch (error) {
      logger.warn({ err: error }, 'snapshots could not be removed')
    }
  }
  /** Once for all that changes in one turn. */
  const tidySoon = (): void => {
    if (isTidyDue) return
    isTidyDue = true
    void Promise.resolve().then(tidy)
  }

  const setRevision = (agentId: AgentId, revision: number | undefined): void => {
    revisions.set(agentId, revision)
    for (const key of standings.keys()) if (key.startsWith(`${agentId} `)) standings.delete(key)
    tidySoon()
  }

  const record = (type: string, recipe: SandboxRecipe, about: object) => {
    const { agentId, agentRevision: revision, manifest } = recipe
    const data = { name: manifest.metadata.name, revision, ...about }
    return audit.record([{ at: clock.now(), type, agentId, data }])
  }

  const make = async (
    snapshots: SandboxSnapshots,
    { recipe, contents, subject }: Missing,
    signal: AbortSignal,
  ): Promise<void> => {
    const id = deps.ids.sandbox()
    const life = sandboxes.enter({ ...aboutOf(recipe), id })
    try {
      // It acts for nobody.
      const own = { id, onConnect: (_: unknown, stream: { destroy(): void }) => stream.destroy() }
      const spec = permittedSpecOf(deps.policies, recipe, own)
      await using template = await snapshots.bootTemplate(spec, signal)
      await template.writeFiles([...contents.files, ...contents.trust], signal)
      await template.exec(subject.command, signal)
      await template.keep(subject, signal)
      await record('sandbox.snapshot-kept', recipe, { sandboxId: id })
      life.terminated()
      // Another version may have come meanwhile, or the agent may have gone.
      if (!isWanted(recipe.agentId, recipe.agentRevision)) tidySoon()
    } catch (error) {
      if (signal.aborted) life.terminated()
      else life.failed(messageOf(error))
      throw error
    }
  }

  const makeMissing = async (
    snapshots: SandboxSnapshots,
    missing: Missing,
    signal: AbortSignal,
  ): Promise<void> => {
    const { recipe, subject } = missing
    const standing = standingOf(recipe)
    if (signal.aborted || standing.tries >= maxTries) return
    try {
      standing.isKept = await snapshots.has(subject)
      if (standing.isKept) return
      standing.tries += 1
      await make(snapshots, missing, signal)
      standing.isKept = true
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof AegisError && error.kind === 'unsupported') standing.tries = maxTries
      const { agentId, agentRevision } = recipe
      logger.warn({ agentId, agentRevision, reason: messageOf(error) }, 'no snapshot was made')
    }
  }

  return {
    lacks(recipe) {
      if (recipe.runtime.snapshots === undefined || !canStandBy(deps.bootstrap, recipe))
        return false
      const { isKept, tries } = standingOf(recipe)
      return !isKept && tries < maxTries
    },
    async ensure(recipe, contents, signal) {
      const { snapshots } = recipe.runtime
      const subject = subjectOf(recipe, contents)
      if (snapshots === undefined || subject === undefined) return
      const standing = standingOf(recipe)
      const missing = { recipe, contents, subject }
      standing.turn = standing.turn.then(() => makeMissing(snapshots, missing, signal))
      await standing.turn
      signal.throwIfAborted()
    },
    async restore(recipe, contents, spec, signal) {
      const { snapshots } = recipe.runtime
      const subject = subjectOf(recipe, contents)
      if (snapshots === undefined || subject === undefined) return undefined
      try {
        return await snapshots.restore(subject, spec, signal)
      } catch (error) {
        signal.throwIfAborted()
        const { agentId, agentRevision } = recipe
        const about = { code: codeOf(error), reason: messageOf(error) }
        logger.warn({ agentId, agentRevision, ...about }, 'a snapshot was not used')
        // That the host is full is no fault of the snapshot.
        if (error instanceof AegisError && error.kind === 'exhausted') return undefined
        standingOf(recipe).isKept = false
        await record('sandbox.snapshot-refused', recipe, { sandboxId: spec.id, ...about })
        return undefined
      }
    },
    welcome(agentId, revision) {
      if (revisions.get(agentId) === revision) return
      setRevision(agentId, revision)
    },
    dismiss: (agentId) => setRevision(agentId, undefined),
    settle() {
      isSettled = true
      tidySoon()
    },
  }
}

const standingKey = ({ agentId, agentRevision, runtime }: SandboxRecipe): string =>
  `${agentId} ${agentRevision} ${runtime.isolation}`

/** Undefined where the program of the agent cannot wait for its task. */
function subjectOf(
  { agentId, agentRevision }: SandboxRecipe,
  { files, standby }: SandboxContents,
): SnapshotSubject | undefined {
  return standby && { agentId, agentRevision, files, command: standby }
}

const codeOf = (error: unknown): string => (error instanceof AegisError ? error.code : 'internal')

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
