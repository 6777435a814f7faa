import type { PinnedImage } from '../image/image-store.ts'
import type { ImageTrust } from '../image/image-trust.ts'
import { restoreImage } from '../image/pin-image.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { ExecutionId, Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { LiveSandbox, LiveSandboxes } from '../sandbox/live-sandboxes.ts'
import type { LimitCause, Sandbox, SandboxProcess } from '../sandbox/sandbox.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { RestoredSandbox } from '../sandbox/sandbox-snapshots.ts'
import type { SandboxSpec } from '../sandbox/sandbox-spec.ts'
import type { AgentProgram } from './agent-program.ts'
import type { AgentSnapshots } from './agent-snapshots.ts'
import { type DoorSlot, makeDoorSlot, type Occupant } from './door-slot.ts'
import { type ContentsDeps, contentsOf, type SandboxContents } from './sandbox-contents.ts'
import { aboutOf, permittedSpecOf, type SandboxRecipe } from './sandbox-recipe.ts'

export interface PrepareDeps extends ContentsDeps {
  readonly policies: Pick<PolicyEngine, 'forAgent'>
  readonly trust: ImageTrust
  readonly sandboxes: LiveSandboxes
  /** Absent: each sandbox is booted. */
  readonly snapshots: Pick<AgentSnapshots, 'ensure' | 'restore'> | undefined
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

/** A sandbox that lacks nothing but its task. It serves one execution, once. */
export interface PreparedSandbox {
  readonly sandbox: Sandbox
  readonly program: AgentProgram
  /** The program, already started and waiting; absent: it is started when there is a task. */
  readonly standby: SandboxProcess | undefined
  /** How long it took to come up, files included. */
  readonly bootMs: number
  /** Whether it came out of a snapshot. */
  readonly restored: boolean
  /** False once it ended, or the program that waits in it did. */
  readonly alive: boolean
  /** Resolves, with the reason, when it can serve nobody any more; never when it was destroyed. */
  readonly died: Promise<string>
  /** Whether it has waited for an execution. */
  readonly warm: boolean
  /** It waits for an execution from now on. */
  wait(): void
  /** It acts for this execution from now on. */
  serve(id: ExecutionId, occupant: Occupant): void
  /** Resolves when it is gone; repeatable. What fails is logged. `because` it is of no use. */
  destroy(because?: string): Promise<void>
}

/**
 * How a sandbox is come by. `ahead`: before there is a task, so that a snapshot is made first where one is
 * missing, and the bootstrap script is started where it can wait. `now`: for a task that waits. `anew`: likewise,
 * and out of no snapshot.
 */
export type Preparation = 'ahead' | 'now' | 'anew'

/**
 * Brings up a sandbox with what its program needs. Leaves nothing behind when it throws.
 * @throws AegisError `unavailable` / `boot_failed`, `reseed_failed` · what `programOf` and `writeFiles` throw
 */
export async function prepareSandbox(
  deps: PrepareDeps,
  recipe: SandboxRecipe,
  preparation: Preparation,
  signal: AbortSignal,
): Promise<PreparedSandbox> {
  const contents = await contentsOf(deps, recipe)
  if (preparation === 'ahead') await deps.snapshots?.ensure(recipe, contents, signal)
  const startMs = deps.clock.monotonicMs()
  const id = deps.ids.sandbox()
  const slot = makeDoorSlot()
  const life = deps.sandboxes.enter({ ...aboutOf(recipe), id })
  const begun: { sandbox?: Sandbox } = {}
  try {
    const own = { id, onConnect: slot.onConnect, onNotice: slot.onNotice }
    const spec = permittedSpecOf(deps.policies, recipe, own)
    const snapshots = preparation === 'anew' ? undefined : deps.snapshots
    const restored = await snapshots?.restore(recipe, contents, spec, signal)
    const sandbox = restored?.sandbox ?? (await boot(recipe.runtime, spec, signal))
    begun.sandbox = sandbox
    const standby = restored
      ? await complete(restored, contents, signal)
      : await fill(sandbox, contents, preparation, signal)
    const bootMs = Math.round(deps.clock.monotonicMs() - startMs)
    const { program } = contents
    const isRestored = restored !== undefined
    return prepared({ deps, sandbox, program, standby, bootMs, restored: isRestored, slot, life })
  } catch (error) {
    if (signal.aborted) life.terminated()
    else life.failed(error instanceof Error ? error.message : String(error))
    if (begun.sandbox !== undefined) await destroy(begun.sandbox, life, deps.logger)
    throw error
  }
}

/** The same for a task that is still to come; undefined while the image is not on the host. */
export async function prepareAhead(
  deps: PrepareDeps,
  recipe: SandboxRecipe,
  signal: AbortSignal,
): Promise<PreparedSandbox | undefined> {
  const image = await imageOnHost(deps.trust, recipe, signal)
  if (image === 'absent') return undefined
  return prepareSandbox(deps, { ...recipe, image }, 'ahead', signal)
}

/** Nobody asked for it yet: it is not the time to fetch it. */
async function imageOnHost(
  trust: ImageTrust,
  { image: pin, runtime: { images } }: SandboxRecipe,
  signal: AbortSignal,
): Promise<PinnedImage | undefined | 'absent'> {
  if (pin === undefined || images === undefined) return pin
  try {
    const options = { policy: 'Never', onProgress: () => undefined } as const
    const image = await restoreImage(images, pin, options, signal)
    await trust.check(images, image, signal)
    return image
  } catch (error) {
    if (error instanceof AegisError && error.code === 'image.absent') return 'absent'
    throw error
  }
}

async function boot(
  runtime: SandboxRuntime,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Sandbox> {
  try {
    return await runtime.boot(spec, signal)
  } catch (error) {
    if (!(error instanceof AegisError) || error.kind === 'unsupported') throw error
    const message = `The sandbox did not come up: ${error.message}`
    const code = error.code === 'guest.reseed' ? 'reseed_failed' : 'boot_failed'
    throw new AegisError('unavailable', code, message, { cause: error })
  }
}

async function fill(
  sandbox: Sandbox,
  { files, trust, standby }: SandboxContents,
  preparation: Preparation,
  signal: AbortSignal,
): Promise<SandboxProcess | undefined> {
  if (files.length + trust.length > 0) await sandbox.writeFiles([...files, ...trust], signal)
  if (preparation !== 'ahead' || standby === undefined) return undefined
  return sandbox.exec(standby, signal)
}

/** Puts in what a snapshot may be too old for. */
async function complete(
  { sandbox, standby }: RestoredSandbox,
  { trust }: SandboxContents,
  signal: AbortSignal,
): Promise<SandboxProcess> {
  if (trust.length > 0) await sandbox.writeFiles(trust, signal)
  return standby
}

interface Parts
  extends Pick<PreparedSandbox, 'sandbox' | 'program' | 'standby' | 'bootMs' | 'restored'> {
  readonly deps: PrepareDeps
  readonly slot: DoorSlot
  readonly life: LiveSandbox
}

function prepared({ deps, slot, life, ...parts }: Parts): PreparedSandbox {
  const { sandbox, standby } = parts
  const { promise: died, resolve: die } = Promise.withResolvers<string>()
  let alive = true
  let warm = false
  let serves = false
  let gone: Promise<void> | undefined

  const perish = (reason: string, cause: LimitCause | undefined): void => {
    alive = false
    if (cause !== undefined) life.failed(reason, cause)
    if (gone === undefined) die(reason)
  }
  void sandbox.ended.then((cause) => perish(endedBy(cause), cause))
  void standby?.exit.then(({ code, cause }) => {
    if (serves || gone !== undefined) return
    const ended = `The bootstrap script ended while it waited (exit code ${code ?? 'unknown'}).`
    perish(cause === undefined ? ended : endedBy(cause), cause)
  })

  return {
    ...parts,
    died,
    get alive() {
      return alive
    },
    get warm() {
      return warm
    },
    wait() {
      warm = true
      life.warm(sandbox)
    },
    serve(id, occupant) {
      serves = true
      slot.occupy(occupant)
      life.hot(sandbox, id, parts.restored)
    },
    destroy(because) {
      if (because !== undefined) life.failed(because)
      gone ??= destroy(sandbox, life, deps.logger)
      return gone
    },
  }
}

const endedBy = (cause: LimitCause | undefined): string =>
  `The sandbox ended by itself (${cause?.replaceAll('_', ' ') ?? 'unknown'}).`

/** Resolves when it is gone, or cannot be made to go. */
async function destroy(sandbox: Sandbox, life: LiveSandbox, logger: Logger): Promise<void> {
  try {
    await sandbox[Symbol.asyncDispose]()
    life.terminated()
  } catch (error) {
    life.failed('It could not be destroyed.')
    logger.error({ err: error, sandboxId: sandbox.id }, 'a sandbox could not be destroyed')
  }
}
