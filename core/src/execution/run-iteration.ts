import { planEgress } from '../egress/plan-egress.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { ExecutionId } from '../kernel/ids.ts'
import type { SecurityConfig } from '../node/security-config-schema.ts'
import { deniedPath } from '../policy/lent-paths.ts'
import type { AgentPolicy } from '../policy/policy-engine.ts'
import type { Occupant } from '../pool/door-slot.ts'
import {
  type Preparation,
  type PrepareDeps,
  type PreparedSandbox,
  prepareSandbox,
} from '../pool/prepare-sandbox.ts'
import type { SandboxRecipe } from '../pool/sandbox-recipe.ts'
import type { WarmPool } from '../pool/warm-pool.ts'
import type { BootPhases, Exit, SandboxProcess } from '../sandbox/sandbox.ts'
import type { SandboxNotice } from '../sandbox/sandbox-spec.ts'
import { type MintedSecrets, mintSecrets } from '../secret/execution-secrets.ts'
import type { SecretVault } from '../secret/secret-vault.ts'
import type { AgentGateway, SandboxDoor } from './agent-gateway.ts'
import { awaitEngine } from './await-engine.ts'
import { recordConsole } from './console-recorder.ts'
import type { IterationOutcome, IterationRecord } from './execution.ts'
import type { AccessDenial, ExecutionEvent, FailureCause } from './execution-event.ts'
import type { ImageSource } from './image-source.ts'
import { iterationEnvironment } from './iteration-environment.ts'
import { type IterationResult, judge, type Validator } from './validate-iteration.ts'

export interface IterationDeps extends PrepareDeps {
  readonly gateway: AgentGateway
  readonly vault: SecretVault
  readonly security: Pick<SecurityConfig, 'egress'>
  readonly validators: readonly Validator[]
  /** Absent: each iteration boots its own sandbox. */
  readonly pool: Pick<WarmPool, 'claim'> | undefined
}

export interface IterationPlan extends SandboxRecipe {
  readonly executionId: ExecutionId
  /** Called before a boot: `image` itself may be gone from the host, as long as a sandbox waits. */
  readonly fetchImage: ImageSource
  readonly iteration: number
  readonly prompt: string
  readonly history: readonly IterationRecord[]
  readonly note: (event: ExecutionEvent) => Promise<void>
  /** Notes what need not be stored before the next event is. */
  readonly hold: (event: ExecutionEvent) => void
  /** Hears of a sandbox that is done for; `gone` resolves, and never rejects, when it is gone. */
  readonly onLeave: (gone: Promise<void>) => void
}

/** Characters of stdout that become the iteration's output. */
const maxOutputCharacters = 1024 * 1024

/** Longest prompt that is also given as an argument; longer ones travel on stdin alone. */
const maxArgumentBytes = 96 * 1024

/**
 * Runs one iteration in a sandbox of its own and judges it. When it resolves the sandbox is being
 * destroyed; `onLeave` tells when it is gone. It rejects only when `signal` is aborted or the store
 * fails.
 */
export async function runIteration(
  deps: IterationDeps,
  plan: IterationPlan,
  signal: AbortSignal,
): Promise<IterationOutcome> {
  const trace = { connected: false }
  try {
    const { manifest } = plan
    const policy = deps.policies.forAgent({ name: manifest.metadata.name, manifest })
    await refuseLentPaths(deps, plan, policy)
    const own = { ...plan, policy, minted: mintSecrets(deps.vault, deps.ids, manifest) }
    using door = admit(deps, own)
    const occupant = occupantOf(deps, plan, door, trace)
    for (let isAnew = false; ; isAnew = true) {
      const obtained = await obtain(deps, plan, occupant, isAnew, signal)
      const result = await runIn(deps, own, obtained, signal)
      // What waited may be lost before it did anything. The next one is booted for this task, and
      // its end is final.
      if (result === undefined || (isStillborn(obtained, result) && !trace.connected)) continue
      return await verdictOn(deps, result, signal)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof AegisError) return refusalOf(error)
    throw error
  }
}

/** What the sandbox asks for goes through the door, and what it is refused is noted. */
function occupantOf(
  { clock }: IterationDeps,
  { iteration, note }: IterationPlan,
  door: SandboxDoor,
  trace: { connected: boolean },
): Occupant {
  return {
    onConnect(target, stream) {
      trace.connected = true
      door.connect(target, stream)
    },
    onNotice(notice) {
      const event = { ...factOf(notice), iteration, at: clock.now() }
      // The record must not hold the sandbox's wire; a failing store ends the run anyway.
      note(event).catch(() => undefined)
    },
  }
}

/** What the guest saw, in the words of the log. */
function factOf(
  notice: SandboxNotice,
):
  | ({ readonly type: 'execution.denied' } & AccessDenial)
  | { readonly type: 'execution.name-asked'; readonly name: string } {
  const type = 'execution.denied'
  switch (notice.kind) {
    case 'dns-answered':
      return { type: 'execution.name-asked', name: notice.name }
    case 'dns-denied': {
      const reason = `No rule of the manifest permits ${notice.name}. Add it to spec.security.network.allowlist.`
      return { type, action: 'dns.resolve', subject: notice.name, reason, code: 'dns.denied' }
    }
    case 'connect-denied': {
      const { protocol, address, port } = notice
      const subject = `${address.includes(':') ? `[${address}]` : address}:${port}`
      const reason =
        protocol === 'udp'
          ? 'Sandboxes send no datagrams; names are answered on 127.0.0.1.'
          : `No rule of the manifest permits ${subject}. Name the host and its port in spec.security.network.allowlist.`
      return { type, action: 'network.connect', subject, reason, code: 'egress.no-rule' }
    }
  }
}

/** Whether the bootstrap script, which does nothing in silence, came to nothing: killed as it waited. */
function isStillborn({ box }: Obtained, { exit, output, complaint }: IterationResult): boolean {
  const { cause, signal } = exit
  const killed = cause === 'sandbox_lost' || (cause === undefined && signal !== undefined)
  return box.standby !== undefined && killed && output === '' && complaint === ''
}

interface Obtained {
  readonly box: PreparedSandbox
  /** It was not booted for this task alone, so that one that is may take its place. */
  readonly isReplaceable: boolean
}

/** A sandbox that waits for such a task, or else a new one. */
async function obtain(
  deps: IterationDeps,
  plan: IterationPlan,
  occupant: Occupant,
  isAnew: boolean,
  signal: AbortSignal,
): Promise<Obtained> {
  const { clock, pool } = deps
  const startMs = clock.monotonicMs()
  signal.throwIfAborted()
  const claimed = isAnew ? undefined : await pool?.claim(plan, signal)
  const box = claimed ?? (await bootOwn(deps, plan, isAnew ? 'anew' : 'now', signal))
  const bootMs = Math.round(clock.monotonicMs() - startMs)
  box.serve(plan.executionId, occupant)
  const { id: sandboxId, isolation, applicationKernel, monitor } = box.sandbox
  // Not awaited: the command starts meanwhile. Where the store fails, nothing may go on unrecorded.
  plan
    .note({
      type: 'execution.sandbox-booted',
      iteration: plan.iteration,
      sandboxId,
      isolation,
      bootMs,
      warm: box.warm,
      ...(box.restored && { restored: true }),
      image: plan.image?.reference,
      applicationKernel,
      monitor,
      bootPhases: wholeMs(box.sandbox.bootPhases),
      at: clock.now(),
    })
    .catch(() => box.destroy())
  return { box, isReplaceable: claimed !== undefined || box.restored }
}

const wholeMs = (phases: BootPhases): BootPhases =>
  Object.fromEntries(Object.entries(phases).map(([name, ms]) => [name, Math.round(ms)]))

async function bootOwn(
  deps: IterationDeps,
  plan: IterationPlan,
  preparation: Preparation,
  signal: AbortSignal,
): Promise<PreparedSandbox> {
  const recipe = { ...plan, image: await plan.fetchImage(signal) }
  const boot = () => prepareSandbox(deps, recipe, preparation, signal)
  return awaitEngine(deps.clock, boot, signal)
}

/** Runs the program to its end; undefined when the sandbox had ended before it could start. */
async function runIn(
  deps: IterationDeps,
  plan: OwnPlan,
  { box, isReplaceable }: Obtained,
  signal: AbortSignal,
): Promise<IterationResult | undefined> {
  let exit: Exit | undefined
  // Ends the program too, so that whatever waits for it goes on.
  const abandon = (): void => void box.destroy()
  signal.addEventListener('abort', abandon, { once: true })
  try {
    signal.throwIfAborted()
    const onFirst = firstWord(deps, box)
    const program = await startProgram(deps, plan, box, signal)
    const result = await converse(deps, plan, { ...program, onFirst }, signal)
    exit = result.exit
    return result
  } catch (error) {
    const ended = error instanceof AegisError && error.code === 'sandbox.ended'
    if (isReplaceable && ended && !signal.aborted) return undefined
    throw error
  } finally {
    signal.removeEventListener('abort', abandon)
    plan.onLeave(box.destroy())
    const { iteration, hold } = plan
    const { id: sandboxId } = box.sandbox
    const at = deps.clock.now()
    hold({ type: 'execution.sandbox-terminated', iteration, sandboxId, cause: exit?.cause, at })
  }
}

interface StartedProgram {
  readonly process: SandboxProcess
  /** What it is told on stdin. */
  readonly words: string
}

async function startProgram(
  { debug }: IterationDeps,
  plan: OwnPlan,
  { sandbox, standby, program }: PreparedSandbox,
  signal: AbortSignal,
): Promise<StartedProgram> {
  const { prompt, minted } = plan
  const env = iterationEnvironment({ ...plan, secrets: minted.environment, debug })
  if (standby !== undefined) {
    return { process: standby, words: `${JSON.stringify({ env })}\n${prompt}` }
  }
  const { argv, takesPrompt } = program
  const short = new TextEncoder().encode(prompt).length <= maxArgumentBytes
  const whole: typeof argv = takesPrompt && short ? [...argv, prompt] : argv
  const process = await sandbox.exec({ argv: whole, env, cwd: '/workspace' }, signal)
  return { process, words: prompt }
}

/** Tells, once, how long its sandbox has had the task by then. */
function firstWord({ sandboxes, clock }: IterationDeps, { sandbox }: PreparedSandbox): () => void {
  const startMs = clock.monotonicMs()
  let told = false
  return () => {
    if (!told) sandboxes.spoke(sandbox.id, clock.monotonicMs() - startMs)
    told = true
  }
}

/** Gives the program its prompt and takes down all it says. */
async function converse(
  { clock }: IterationDeps,
  { iteration, note }: IterationPlan,
  { process, words, onFirst }: StartedProgram & { readonly onFirst: () => void },
  signal: AbortSignal,
): Promise<IterationResult> {
  const shared = { iteration, note, clock, signal, onFirst, keepCharacters: maxOutputCharacters }
  const fed = process.writeStdin(new TextEncoder().encode(words)).then(() => process.closeStdin())
  const stdout = recordConsole({ ...shared, chunks: process.stdout, stream: 'stdout' })
  const stderr = recordConsole({ ...shared, chunks: process.stderr, stream: 'stderr' })
  const [exit] = await Promise.all([process.exit, stdout.finished, stderr.finished, fed])
  signal.throwIfAborted()
  return { output: stdout.text(), complaint: stderr.lastLine(), exit }
}

async function verdictOn(
  { validators }: IterationDeps,
  result: IterationResult,
  signal: AbortSignal,
): Promise<IterationOutcome> {
  const verdict = await judge(validators, result, signal)
  const { output } = result
  const { usage } = result.exit
  return verdict.accepted
    ? { kind: 'accepted', output, usage }
    : { kind: 'refused', output, failure: verdict.failure, usage }
}

/** An operator may have taken back what the manifest was granted at its deploy. */
async function refuseLentPaths(
  { clock }: IterationDeps,
  { manifest, iteration, note }: IterationPlan,
  policy: AgentPolicy,
): Promise<void> {
  const denial = deniedPath(policy, manifest)
  if (denial === undefined) return
  await note({ type: 'execution.denied', ...denial, iteration, at: clock.now() })
  throw new AegisError('denied', 'policy.denied', denial.reason)
}

/** A plan with what only this one run of it has. */
interface OwnPlan extends IterationPlan {
  readonly policy: AgentPolicy
  readonly minted: MintedSecrets
}

function admit(
  { gateway, security, clock }: IterationDeps,
  { executionId, agentId, manifest, iteration, note, policy, minted }: OwnPlan,
): SandboxDoor {
  const { model, temperature } = manifest.spec.runtime
  const { name } = manifest.metadata
  const own = () => ({ iteration, at: clock.now() })
  return gateway.admit(
    {
      executionId,
      agentId,
      agentName: name,
      iteration,
      defaultModel: model,
      temperature,
      policy,
      egress: planEgress(manifest, security),
      secrets: minted.secrets,
    },
    {
      llmCalled: (call) => note({ type: 'execution.llm-called', call, ...own() }),
      denied: (denial) => note({ type: 'execution.denied', ...denial, ...own() }),
      connecting: (start) => note({ type: 'execution.connecting', ...start, ...own() }),
      disconnected: (end) => note({ type: 'execution.disconnected', ...end, ...own() }),
      secretUsed: (use) => note({ type: 'execution.secret-used', ...use, ...own() }),
    },
  )
}

function refusalOf(error: AegisError): IterationOutcome {
  return {
    kind: 'refused',
    output: '',
    failure: { cause: causeOf(error), message: error.message },
  }
}

const isBootCause = (code: string): code is 'boot_failed' | 'reseed_failed' | 'image_failed' =>
  code === 'boot_failed' || code === 'reseed_failed' || code === 'image_failed'

function causeOf(error: AegisError): FailureCause {
  if (error.kind === 'denied') return 'denied'
  if (isBootCause(error.code)) return error.code
  if (error.kind === 'unsupported') return 'unsupported'
  if (error.kind === 'unavailable') return 'sandbox_lost'
  return 'command_not_started'
}
