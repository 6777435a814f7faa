import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { PinnedImage } from '../image/image-store.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AgentId, ExecutionId, Ids } from '../kernel/ids.ts'
import type {
  ExecCommand,
  LimitCause,
  Sandbox,
  SandboxFile,
  SandboxProcess,
} from '../sandbox/sandbox.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Interpreter, SandboxLimits, SandboxSpec } from '../sandbox/sandbox-spec.ts'
import type { AgentGateway, SandboxDoor } from './agent-gateway.ts'
import { recordConsole } from './console-recorder.ts'
import { contextFiles } from './context-files.ts'
import type { IterationOutcome, IterationRecord } from './execution.ts'
import type { ExecutionEvent, FailureCause } from './execution-event.ts'
import { iterationEnvironment } from './iteration-environment.ts'
import { type IterationResult, judge, type Validator } from './validate-iteration.ts'

/** The script that runs an agent which has a prompt but no program of its own. */
export interface Bootstrap {
  readonly file: SandboxFile
  readonly argv: readonly [string, ...string[]]
}

export interface IterationDeps {
  readonly gateway: AgentGateway
  readonly bootstrap: (language: 'python' | 'javascript') => Bootstrap
  readonly validators: readonly Validator[]
  readonly clock: Clock
  readonly ids: Ids
  /** Shows what the bootstrap script does, on its stderr. */
  readonly debug: boolean
}

export interface IterationPlan {
  readonly executionId: ExecutionId
  readonly agentId: AgentId
  readonly manifest: AgentManifest
  readonly image: PinnedImage | undefined
  readonly runtime: SandboxRuntime
  readonly limits: SandboxLimits
  readonly iteration: number
  readonly prompt: string
  readonly history: readonly IterationRecord[]
  readonly note: (event: ExecutionEvent) => Promise<void>
}

/** Characters of stdout that become the iteration's output. */
const maxOutputCharacters = 1024 * 1024

/** Longest prompt that is also given as an argument; longer ones travel on stdin alone. */
const maxArgumentBytes = 96 * 1024

/**
 * Runs one iteration in a sandbox of its own and judges it. The sandbox is gone when it resolves.
 * It rejects only when `signal` is aborted or the store fails.
 */
export async function runIteration(
  deps: IterationDeps,
  plan: IterationPlan,
  signal: AbortSignal,
): Promise<IterationOutcome> {
  using door = admit(deps, plan)
  const interpreter = interpreterOf(plan.manifest, plan.image)
  const spec: SandboxSpec = {
    id: deps.ids.sandbox(),
    interpreter,
    limits: plan.limits,
    filesystem: filesystemOf(plan.manifest),
    onConnect: (target, stream) => door.connect(target, stream),
    onNotice: (notice) => {
      const { iteration, note } = plan
      const reason = 'Agents reach their models and nothing else.'
      const at = deps.clock.now()
      const action = 'dns.resolve'
      // The record of a refusal must not hold the sandbox's wire; a failing store ends the run anyway.
      note({ type: 'execution.denied', iteration, action, subject: notice.name, reason, at }).catch(
        () => undefined,
      )
    },
  }
  try {
    const command = commandFor(deps, plan, interpreter)
    const sandbox = await bootNoted(deps, plan, spec, signal)
    return await runIn(deps, plan, sandbox, command, signal)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof AegisError) return refusalOf(error)
    throw error
  }
}

async function bootNoted(
  { clock }: IterationDeps,
  { runtime, iteration, note }: IterationPlan,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Sandbox> {
  const start = clock.monotonicMs()
  const sandbox = await runtime.boot(spec, signal).catch((error: unknown) => {
    if (!(error instanceof AegisError) || error.kind === 'unsupported') throw error
    const message = `The sandbox did not come up: ${error.message}`
    throw new AegisError('unavailable', 'boot_failed', message, { cause: error })
  })
  const bootMs = Math.round(clock.monotonicMs() - start)
  const { isolation } = runtime
  const { id: sandboxId } = sandbox
  const at = clock.now()
  // Not awaited: the command starts meanwhile. Where the store fails, nothing may go on unrecorded.
  note({ type: 'execution.sandbox-booted', iteration, sandboxId, isolation, bootMs, at }).catch(
    () => end(sandbox),
  )
  return sandbox
}

async function runIn(
  deps: IterationDeps,
  plan: IterationPlan,
  sandbox: Sandbox,
  { command, files }: PreparedCommand,
  signal: AbortSignal,
): Promise<IterationOutcome> {
  let cause: LimitCause | undefined
  // Ends the command too, so that whatever waits for it goes on.
  const abandon = (): void => void end(sandbox)
  signal.addEventListener('abort', abandon, { once: true })
  try {
    signal.throwIfAborted()
    if (files.length > 0) await sandbox.writeFiles(files, signal)
    const process = await sandbox.exec(command, signal)
    const result = await converse(deps, plan, process, signal)
    cause = result.exit.cause
    const verdict = await judge(deps.validators, result, signal)
    const { output } = result
    const { usage } = result.exit
    return verdict.accepted
      ? { kind: 'accepted', output, usage }
      : { kind: 'refused', output, failure: verdict.failure, usage }
  } finally {
    signal.removeEventListener('abort', abandon)
    await sandbox[Symbol.asyncDispose]()
    const { iteration, note } = plan
    const at = deps.clock.now()
    // Not awaited: it is stored together with what the outcome decides.
    note({
      type: 'execution.sandbox-terminated',
      iteration,
      sandboxId: sandbox.id,
      cause,
      at,
    }).catch(() => undefined)
  }
}

/** Ends a sandbox before its time; whoever waits for it then disposes it, and hears of a failure. */
const end = (sandbox: Sandbox): Promise<void> =>
  Promise.resolve(sandbox[Symbol.asyncDispose]()).catch(() => undefined)

/** Gives the command its prompt and takes down all it says. */
async function converse(
  { clock }: IterationDeps,
  { iteration, prompt, note }: IterationPlan,
  process: SandboxProcess,
  signal: AbortSignal,
): Promise<IterationResult> {
  const shared = { iteration, note, clock, signal, keepCharacters: maxOutputCharacters }
  const stdout = recordConsole({ ...shared, chunks: process.stdout, stream: 'stdout' })
  const stderr = recordConsole({ ...shared, chunks: process.stderr, stream: 'stderr' })
  const fed = process.writeStdin(new TextEncoder().encode(prompt)).then(() => process.closeStdin())
  const [exit] = await Promise.all([process.exit, stdout.finished, stderr.finished, fed])
  signal.throwIfAborted()
  return { output: stdout.text(), complaint: stderr.lastLine(), exit }
}

interface PreparedCommand {
  readonly command: ExecCommand
  readonly files: readonly SandboxFile[]
}

function commandFor(
  deps: IterationDeps,
  plan: IterationPlan,
  interpreter: Interpreter,
): PreparedCommand {
  const { manifest, prompt } = plan
  const files = [...contextFiles(manifest)]
  const env = iterationEnvironment({ ...plan, debug: deps.debug })
  const own = manifest.spec.task.command
  if (own !== undefined) return { command: { argv: own, env, cwd: '/workspace' }, files }
  if (interpreter.language === 'none') {
    throw new AegisError(
      'unsupported',
      'runtime.language',
      `There is no bootstrap script for language "${manifest.spec.runtime.language}". Use python or javascript, or give spec.task.command.`,
    )
  }
  const { file, argv } = deps.bootstrap(interpreter.language)
  const short = new TextEncoder().encode(prompt).length <= maxArgumentBytes
  return {
    command: { argv: short ? [...argv, prompt] : argv, env, cwd: '/workspace' },
    files: [file, ...files],
  }
}

function admit({ gateway, clock }: IterationDeps, plan: IterationPlan): SandboxDoor {
  const { executionId, agentId, manifest, iteration, note } = plan
  const { model, temperature } = manifest.spec.runtime
  const agentName = manifest.metadata.name
  return gateway.admit(
    { executionId, agentId, agentName, iteration, defaultModel: model, temperature },
    {
      llmCalled: (call) => note({ type: 'execution.llm-called', iteration, call, at: clock.now() }),
      denied: (action, subject, reason) =>
        note({ type: 'execution.denied', iteration, action, subject, reason, at: clock.now() }),
    },
  )
}

/** Which interpreter a manifest's language means, in the image that was pinned for it. */
export function interpreterOf({ spec }: AgentManifest, image?: PinnedImage): Interpreter {
  const { language, version } = spec.runtime
  const known = languages.get(language.toLowerCase()) ?? 'none'
  return { language: known, version, ...(image && { image: image.id }) }
}

const languages: ReadonlyMap<string, Interpreter['language']> = new Map([
  ['python', 'python'],
  ['javascript', 'javascript'],
  ['typescript', 'javascript'],
  ['node', 'javascript'],
])

function filesystemOf({ spec }: AgentManifest): SandboxSpec['filesystem'] {
  const { read, write, read_only: readOnly } = spec.security.filesystem
  return { read: read.filter(onHost), write: write.filter(onHost), readOnly }
}

/** Paths below these are the sandbox's own, whatever the manifest says of them. */
const onHost = (path: string): boolean => !/^\/(workspace|tmp)(\/|$)/.test(path)

function refusalOf(error: AegisError): IterationOutcome {
  return {
    kind: 'refused',
    output: '',
    failure: { cause: causeOf(error), message: error.message },
  }
}

function causeOf(error: AegisError): FailureCause {
  if (error.code === 'boot_failed') return 'boot_failed'
  if (error.kind === 'unsupported') return 'unsupported'
  if (error.kind === 'unavailable') return 'sandbox_lost'
  return 'command_not_started'
}
