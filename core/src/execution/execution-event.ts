import type { PinnedImage, PullProgress } from '../image/image-store.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AgentId, SandboxId } from '../kernel/ids.ts'
import type { PolicyAction } from '../policy/policy-action.ts'
import type { BootPhases, LimitCause, ResourceUsage } from '../sandbox/sandbox.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { SecretPlace } from '../secret/secret-vault.ts'

export type ExecutionStatus =
  | 'pending' // Accepted, held back: its agent is paused.
  | 'queued' // Accepted and durable; waits for free resources.
  | 'running'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'timed_out'

/** Why an iteration or an execution failed: stable words to search and to branch on. */
export type FailureCause =
  | LimitCause
  | 'exit_code'
  | 'empty_output'
  | 'boot_failed' // The sandbox did not come up.
  | 'reseed_failed' // The machine proved no random numbers of its own, so nothing ran in it.
  | 'image_failed' // Its image could not be had.
  | 'command_not_started' // For example: no such program in the sandbox.
  | 'denied' // The policy, or the operator, does not permit what the manifest asks.
  | 'prompt_failed' // The template could not be rendered.
  | 'unsupported' // This host cannot enforce or provide what the manifest asks.
  | 'interrupted' // The daemon died during it, too often to try again.
  | 'internal'

export interface Failure {
  readonly cause: FailureCause
  /** One or two sentences: what happened and what to do. */
  readonly message: string
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
}

/** One answered (or failed) call of a language model. Texts only; never a key. */
export interface LlmCall {
  readonly provider: string
  readonly model: string
  readonly alias: string
  readonly prompt: string
  readonly response: string
  readonly error?: string | undefined
  readonly promptTokens: number
  readonly completionTokens: number
  /** In the currency of the node config's prices. */
  readonly cost: number
  readonly durationMs: number
  readonly attempts: number
}

/** Something that was tried and refused. */
export interface AccessDenial {
  readonly action: PolicyAction
  /** What it was about: `db.example.com:5432`, a name, a model. */
  readonly subject: string
  /** One sentence: why, and what would permit it. */
  readonly reason: string
  /** Stable word for the reason, for example `egress.private-address`. */
  readonly code?: string | undefined
  /** Ids of the policies that decided, where one did. */
  readonly policies?: readonly string[] | undefined
  /** How many equal ones this stands for; absent: one. */
  readonly count?: number | undefined
}

/** A connection that leaves the node for an agent. */
export interface ConnectionStart {
  /** 1, 2, 3 … inside the iteration. */
  readonly connection: number
  /** The name that was permitted, or the address where none was used. */
  readonly host: string
  readonly port: number
  /** What is dialled. */
  readonly address: string
  /** How the agent came to it: by its name, through the proxy, or by an address. */
  readonly via: 'name' | 'proxy' | 'address'
  /** Whether requests can be seen: `opaque` bytes pass unread. */
  readonly reading: 'opaque' | 'inspected'
  /** Ids of the policies that permit it. */
  readonly policies: readonly string[]
}

export interface ConnectionEnd {
  readonly connection: number
  readonly host: string
  readonly port: number
  /** Out of the sandbox, and into it; of the payload. */
  readonly bytesOut: number
  readonly bytesIn: number
  readonly durationMs: number
  /** Requests of HTTP, where they were seen. */
  readonly requests?: number | undefined
  /** Why AEGIS ended it; absent: one of the two ends did. */
  readonly cause?: string | undefined
}

/** A secret that was put into a request. */
export interface SecretUse {
  readonly secret: string
  readonly connection: number
  readonly host: string
  readonly port: number
  readonly place: SecretPlace
  readonly method: string
  readonly path: string
  readonly policies: readonly string[]
}

/** What happened during an execution. Its log, its state and its stream are all this. */
export type ExecutionEvent = { readonly at: Instant } & (
  | {
      readonly type: 'execution.queued'
      readonly agentId: AgentId
      readonly agentName: string
      /** Which version of the agent's history runs: 1 is the first deploy. */
      readonly agentRevision: number
      readonly input: unknown
      /** -100 to 100; higher runs first, equal runs first come first served. */
      readonly priority: number
      readonly isolation: Isolation
      readonly cpuMillicores: number
      readonly memoryBytes: number
    }
  | { readonly type: 'execution.started' }
  /** The image was not on the host; it is being fetched. At most one a second. */
  | { readonly type: 'execution.image-pulling'; readonly progress: PullProgress }
  | {
      readonly type: 'execution.image-pulled'
      readonly image: PinnedImage
      readonly durationMs: number
    }
  /** The node stopped while it ran; it goes back to the queue. */
  | {
      readonly type: 'execution.interrupted'
      /** The node was told to stop; absent: it died, perhaps of this execution. */
      readonly orderly?: boolean | undefined
    }
  | {
      readonly type: 'execution.iteration-started'
      readonly iteration: number
      /** The whole rendered prompt. */
      readonly action: string
    }
  | {
      readonly type: 'execution.sandbox-booted'
      readonly iteration: number
      readonly sandboxId: SandboxId
      readonly isolation: Isolation
      /** Until the command could start; next to nothing when a warm sandbox was waiting. */
      readonly bootMs: number
      /** It had been booted ahead. */
      readonly warm?: boolean | undefined
      /** It came out of a snapshot of its agent. */
      readonly restored?: boolean | undefined
      /** Its image, where it was booted from one. */
      readonly image?: string | undefined
      /** What ran below it, for example `gvisor`. */
      readonly applicationKernel?: 'gvisor' | undefined
      /** What ran the machine that it was: `QEMU 7.2.22, software emulation`. */
      readonly monitor?: string | undefined
      /** How long each phase of its boot took, in milliseconds. */
      readonly bootPhases?: BootPhases | undefined
    }
  | {
      readonly type: 'execution.console'
      readonly iteration: number
      readonly stream: 'stdout' | 'stderr'
      /** UTF-8, invalid bytes replaced; at most 32 KiB an event. */
      readonly text: string
    }
  | { readonly type: 'execution.llm-called'; readonly iteration: number; readonly call: LlmCall }
  /** Something the sandbox tried and was refused: a name, a connection. */
  | ({ readonly type: 'execution.denied'; readonly iteration: number } & AccessDenial)
  /** A name that the sandbox asked for and may know; told once for each. */
  | { readonly type: 'execution.name-asked'; readonly iteration: number; readonly name: string }
  /** About to be dialled: stored before it is. */
  | ({ readonly type: 'execution.connecting'; readonly iteration: number } & ConnectionStart)
  | ({ readonly type: 'execution.disconnected'; readonly iteration: number } & ConnectionEnd)
  | ({ readonly type: 'execution.secret-used'; readonly iteration: number } & SecretUse)
  /** Its program has ended, or was given up: the sandbox is being destroyed from now on. */
  | {
      readonly type: 'execution.sandbox-terminated'
      readonly iteration: number
      readonly sandboxId: SandboxId
      readonly cause?: LimitCause | undefined
    }
  | {
      readonly type: 'execution.iteration-completed'
      readonly iteration: number
      readonly output: string
      readonly usage: ResourceUsage
    }
  | {
      readonly type: 'execution.iteration-failed'
      readonly iteration: number
      readonly output: string
      readonly failure: Failure
      readonly usage?: ResourceUsage | undefined
    }
  | {
      readonly type: 'execution.cancel-requested'
      readonly reason?: string | undefined
    }
  | {
      readonly type: 'execution.completed'
      readonly output: string
      readonly iterations: number
    }
  | {
      readonly type: 'execution.failed'
      readonly failure: Failure
      readonly iterations: number
    }
  | { readonly type: 'execution.cancelled'; readonly reason?: string | undefined }
  | { readonly type: 'execution.timed-out'; readonly failure: Failure; readonly iterations: number }
)

export type TerminalStatus = 'completed' | 'failed' | 'cancelled' | 'timed_out'
