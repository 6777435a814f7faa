import { trustBundlePath } from '../egress/network-environment.ts'
import { opensTls } from '../egress/plan-egress.ts'
import type { AgentGateway } from '../execution/agent-gateway.ts'
import { iterationEnvironment } from '../execution/iteration-environment.ts'
import type { PinnedImage } from '../image/image-store.ts'
import type { ImageTrust } from '../image/image-trust.ts'
import { restoreImage } from '../image/pin-image.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { type ExecutionId, executionId, type Ids } from '../kernel/ids.ts'
import type { Logger } from '../kernel/logger.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { LiveSandbox, LiveSandboxes } from '../sandbox/live-sandboxes.ts'
import type { LimitCause, Sandbox, SandboxFile, SandboxProcess } from '../sandbox/sandbox.ts'
import type { SandboxSpec } from '../sandbox/sandbox-spec.ts'
import { type AgentProgram, type BootstrapOf, programOf } from './agent-program.ts'
import { type DoorSlot, makeDoorSlot, type Occupant } from './door-slot.ts'
import { type SandboxRecipe, specOf } from './sandbox-recipe.ts'

export interface PrepareDeps {
  readonly bootstrap: BootstrapOf
  readonly gateway: Pick<AgentGateway, 'trustBundle'>
  readonly policies: Pick<PolicyEngine, 'forAgent'>
  readonly trust: ImageTrust
  readonly sandboxes: LiveSandboxes
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** Shows what the bootstrap script does, on its stderr. */
  readonly debug: boolean
}

/** A sandbox that lacks nothing but its task. It serves one execution, once. */
export interface PreparedSandbox {
  readonly sandbox: Sandbox
  readonly program: AgentProgram
  /** The program, already started and waiting; absent: it is started when there is a task. */
  readonly standby: SandboxProcess | undefined
  /** How long it took to boot and to put the files in. */
  readonly bootMs: number
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
 * Boots a sandbox and puts in what its program needs. With `ahead`, the bootstrap script is started
 * too, where it can wait for its task. Leaves nothing behind when it throws.
 * @throws AegisError `unavailable` / `boot_failed` · what `programOf` and `writeFiles` throw
 */
export async function prepareSandbox(
  deps: PrepareDeps,
  recipe: SandboxRecipe,
  { ahead }: { readonly ahead: boolean },
  signal: AbortSignal,
): Promise<PreparedSandbox> {
  const program = programOf(deps.bootstrap, recipe)
  const startMs = deps.clock.monotonicMs()
  const id = deps.ids.sandbox()
  const slot = makeDoorSlot()
  const life = enter(deps, recipe, id)
  const begun: { sandbox?: Sandbox } = {}
  try {
    const sandbox = await boot(
      recipe,
      deps.policies,
      { id, onConnect: slot.onConnect, onNotice: slot.onNotice },
      signal,
    )
    begun.sandbox = sandbox
    const files = [...program.files, ...(await trustFiles(deps, recipe))]
    if (files.length > 0) await sandbox.writeFiles(files, signal)
    const waits = ahead && program.standsBy
    const standby = waits ? await startWaiting(deps, recipe, program, sandbox, signal) : undefined
    const bootMs = Math.round(deps.clock.monotonicMs() - startMs)
    return prepared({ deps, sandbox, program, standby, bootMs, slot, life })
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
  return prepareSandbox(deps, { ...recipe, image }, { ahead: true }, signal)
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

function enter(
  { sandboxes }: PrepareDeps,
  { agentId, manifest, limits, runtime }: SandboxRecipe,
  id: Sandbox['id'],
): LiveSandbox {
  const { isolation } = runtime
  return sandboxes.enter({ id, isolation, agentId, agentName: manifest.metadata.name, limits })
}

async function boot(
  recipe: SandboxRecipe,
  policies: PrepareDeps['policies'],
  own: Pick<SandboxSpec, 'id' | 'onConnect' | 'onNotice'>,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { manifest } = recipe
  const policy = policies.forAgent({ name: manifest.metadata.name, manifest })
  const mayKnow = (name: string) => policy.decide({ action: 'dns.resolve', name }).allow
  try {
    return await recipe.runtime.boot(specOf(recipe, { ...own, mayKnow }), signal)
  } catch (error) {
    if (!(error instanceof AegisError) || error.kind === 'unsupported') throw error
    const message = `The sandbox did not come up: ${error.message}`
    throw new AegisError('unavailable', 'boot_failed', message, { cause: error })
  }
}

/** What a sandbox has to trust whose TLS ends at the gateway. */
async function trustFiles(
  { gateway }: PrepareDeps,
  { manifest }: SandboxRecipe,
): Promise<readonly SandboxFile[]> {
  if (!opensTls(manifest)) return []
  return [{ path: trustBundlePath, content: await gateway.trustBundle() }]
}

/** The variables that belong to a task are not known yet: they come with it, on stdin. */
function startWaiting(
  { debug }: PrepareDeps,
  { manifest, agentId }: SandboxRecipe,
  { argv }: AgentProgram,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<SandboxProcess> {
  const nobody = { executionId: executionId(''), iteration: 0, history: [], secrets: {} }
  const env = iterationEnvironment({ manifest, agentId, debug, ...nobody })
  return sandbox.exec(
    { argv, env: { ...env, AEGIS_BOOTSTRAP_STANDBY: '1' }, cwd: '/workspace' },
    signal,
  )
}

interface Parts extends Pick<PreparedSandbox, 'sandbox' | 'program' | 'standby' | 'bootMs'> {
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
      life.hot(sandbox, id)
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
