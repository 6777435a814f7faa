import type { Actor } from './access/actor.ts'
import type { Role } from './access/role.ts'
import type { Scope } from './access/scope.ts'
import type { TokenFacts } from './access/token.ts'
import type { AgentManifest } from './agent/agent-manifest.ts'
import type { AgentSummary } from './agent/agent-queries.ts'
import type { AuditEntry } from './audit/audit-entry.ts'
import type { AuditProgress, AuditReport } from './audit/audit-report.ts'
import type { ExecutionEvent, ExecutionStatus } from './execution/execution-event.ts'
import type { ExecutionSummary } from './execution/execution-queries.ts'
import type { Image, ImageBuild, PinnedImage, PullProgress } from './image/image-store.ts'
import type { Instant } from './kernel/clock.ts'
import type { AgentId, ExecutionId } from './kernel/ids.ts'
import type { Secret } from './kernel/secret.ts'
import type { ApiAction } from './policy/policy-action.ts'
import type { PolicyDecision, PolicySummary } from './policy/policy-engine.ts'
import type { AgentRequest } from './policy/policy-request.ts'
import type { PolicyFile, PolicyReview, PolicyState } from './policy/policy-review.ts'
import type { SandboxCounts, SandboxEvent, SandboxStatus } from './sandbox/sandbox-event.ts'
import type { HostFinding } from './sandbox/sandbox-runtime.ts'
import type { Isolation } from './sandbox/sandbox-spec.ts'
import type { SecretRotation, SecretSummary } from './secret/secret-keeper.ts'
import type { SecretPlace } from './secret/secret-vault.ts'

/**
 * What a user can ask of a node. The node itself implements it (embedded mode), and so does the
 * SDK over HTTP, so that a command line or a test does not know which of the two it talks to.
 * Names and ids are interchangeable wherever a `ref` is taken.
 */
export interface ControlPlane {
  readonly agents: AgentControl
  readonly executions: ExecutionControl
  readonly images: ImageControl
  readonly sandboxes: SandboxControl
  readonly policies: PolicyControl
  readonly secrets: SecretControl
  readonly tokens: TokenControl
  readonly audit: AuditControl
  readonly node: NodeControl
}

export interface AgentControl {
  /**
   * Deploys, or, where the name is taken and `replace` is set, deploys a new revision. The same
   * manifest again is quietly fine. Fetches the image when the agent needs one that is not there.
   * @throws `invalid` the manifest · `conflict` / `agent.exists` · `unsupported` · `denied`, also
   * for what nobody signed that the operator trusts ·
   * what `ImageStore.pull` throws
   */
  deploy(manifest: AgentManifest, options?: DeployOptions): Promise<DeployResult>
  list(): Promise<readonly AgentSummary[]>
  /** @throws `not-found` / `agent.absent` */
  find(ref: string): Promise<AgentSummary>
  manifest(ref: string, revision?: number): Promise<AgentManifest>
  /** Cancels what runs or waits, then removes. @throws `not-found` */
  remove(ref: string): Promise<void>
  pause(ref: string, reason?: string): Promise<void>
  resume(ref: string): Promise<void>
  /**
   * The events of the agent's latest executions (at most 100), oldest execution first; with
   * `follow` it goes on with every execution of the agent until the signal is aborted.
   */
  events(
    ref: string,
    options: { readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<AgentExecutionEvent>
}

export interface AgentExecutionEvent extends VersionedEvent {
  readonly executionId: ExecutionId
}

export interface DeployOptions {
  readonly replace?: boolean
  /** The same manifest as a signed note, where the operator demands one. */
  readonly signed?: string | undefined
  /** Hears how far the pull of the image is, when one is needed. */
  readonly onProgress?: (progress: PullProgress) => void
  /** Gives up a pull. */
  readonly signal?: AbortSignal
}

export interface DeployResult {
  readonly id: AgentId
  readonly revision: number
  /** False when exactly this manifest was already the current one. */
  readonly changed: boolean
  /** What it will run in, for runtimes that boot from images. */
  readonly image?: PinnedImage | undefined
  /** What the manifest asks for that nothing acts upon yet, one sentence each. */
  readonly warnings: readonly string[]
}

export interface ExecuteOptions {
  /** -100 to 100, default 0. */
  readonly priority?: number | undefined
  /** Overrides the manifest's choice. */
  readonly isolation?: Isolation | undefined
}

export interface ExecutionControl {
  /** Resolves once the execution is durable. @throws `not-found` · `conflict` / `agent.paused` · `invalid` */
  execute(agentRef: string, input: unknown, options?: ExecuteOptions): Promise<ExecutionId>
  /** @throws `not-found` / `execution.absent` */
  find(id: string): Promise<ExecutionDetail>
  list(filter: {
    readonly agentRef?: string | undefined
    readonly status?: ExecutionStatus | undefined
    readonly limit?: number | undefined
  }): Promise<readonly ExecutionSummary[]>
  /**
   * The events after version `after` (0: from the start). With `follow` it goes on until the
   * terminal event, without gap or duplicate; otherwise it ends at what is stored now.
   */
  events(
    id: string,
    options: { readonly after?: number; readonly follow?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<VersionedEvent>
  /** Resolves once the execution is in a terminal state; a terminal one is left as it is. */
  cancel(id: string, reason?: string): Promise<ExecutionStatus>
  /** Deletes a finished execution. @throws `conflict` / `execution.running` */
  remove(id: string): Promise<void>
}

export interface VersionedEvent {
  /** 1, 2, 3 … inside the execution; the `id:` of the event stream. */
  readonly version: number
  readonly event: ExecutionEvent
}

export interface ExecutionDetail extends ExecutionSummary {
  readonly input: unknown
  readonly output: string | undefined
  readonly iterationDetails: readonly IterationDetail[]
}

export interface IterationDetail {
  readonly number: number
  readonly status: 'running' | 'success' | 'failed'
  readonly output: string | undefined
  readonly error: string | undefined
  readonly startedAt: string
  readonly endedAt: string | undefined
}

export interface ImageControl {
  /** The images of agents and those that this node fetched; with `all`, whatever the host has. */
  list(options?: { readonly all?: boolean }): Promise<readonly ImageSummary[]>
  /** Fetches an image, or the newer one that its tag means now. @throws what `ImageStore.pull` throws */
  pull(
    reference: string,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<Image>
  /**
   * Makes the disk from which micro-VMs boot an image, which it fetches when the host does not have it.
   * @throws `unsupported` / `image.no-machines` · what `ImageStore.pull` and `prepare` throw
   */
  prepare(
    reference: string,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<Image>
  /**
   * Makes an image for micro-VMs from an archive. @throws `unsupported` / `image.no-machines` · what
   * `ImageStore.prepare` throws
   */
  build(
    build: ImageBuild,
    onProgress: (progress: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<Image>
  /**
   * Removes the images that this node fetched or built, and the disks of images, that no agent needs. One that cannot go stays, and
   * the others go nevertheless. @throws `unavailable` / `engine.unreachable`
   */
  prune(): Promise<PruneResult>
}

export interface ImageSummary extends Image {
  /** Names of the agents whose current revision runs in it. */
  readonly agents: readonly string[]
}

export interface PruneResult {
  readonly removed: readonly Image[]
  readonly freedBytes: number
  /** No agent needs these either, but they could not be removed. */
  readonly kept: readonly KeptImage[]
}

export interface KeptImage {
  readonly image: Image
  /** Why it stays, in the words of the error. */
  readonly reason: string
}

export interface SandboxControl {
  /** The sandboxes that are there now, with what they use at this moment. */
  list(signal: AbortSignal): Promise<readonly SandboxStatus[]>
  /** Each step in the life of each sandbox from now on. */
  events(signal: AbortSignal): AsyncIterable<SandboxEvent>
}

/** The secrets that agents may use and never see. No answer holds a value. */
export interface SecretControl {
  /** In the order of names. */
  list(): Promise<readonly SecretSummary[]>
  /**
   * Keeps a secret, or gives the one of this name another value.
   * @throws `invalid` / `secret.invalid` · `exhausted` / `secret.limit` · `denied` / `secret.…`
   */
  set(name: string, change: SecretChange): Promise<SecretChanged>
  /** @throws `not-found` / `secret.absent` · `denied` / `secret.…` */
  remove(name: string): Promise<void>
  /** Encrypts all of them anew under a new key. @throws `denied` / `secret.…` */
  rotate(options?: RotateOptions): Promise<SecretRotation>
}

export interface SecretChange {
  readonly value: Secret
  /** Names, or `*` for all. Absent: as before; a new one needs it. */
  readonly agents?: readonly string[] | undefined
  /** Written as a network allowlist. Absent: as before; a new one needs it. */
  readonly hosts?: readonly string[] | undefined
  /** Absent: as before; of a new one all but `sigv4`. */
  readonly places?: readonly SecretPlace[] | undefined
}

export interface SecretChanged {
  readonly secret: SecretSummary
  /** False when there was one of this name. */
  readonly created: boolean
}

export interface RotateOptions {
  /** `file`, `env:NAME` or `passphrase:env:NAME`, as the node sees them; absent: as before. */
  readonly key?: string | undefined
}

/** Who may use the API. */
export interface TokenControl {
  /**
   * Makes a token. Its text is told this once: the node keeps no more than a digest.
   * @throws `conflict` / `token.exists` · `invalid` / `token.scope` · `denied` / `access.escalation`
   * when it could do more than the caller · `exhausted` / `token.limit`
   */
  create(request: NewToken): Promise<CreatedToken>
  /** Oldest first, also those that are expired or were revoked in the last 90 days. */
  list(): Promise<readonly TokenFacts[]>
  /** By name or id; from then on nobody gets in with it. @throws `not-found` / `token.absent` */
  revoke(ref: string): Promise<TokenFacts>
  /** Who the caller is to the node, and what that permits. */
  whoami(): Promise<WhoAmI>
}

export interface NewToken {
  readonly name: string
  readonly role: Role
  readonly scope?: Scope | undefined
  /** Null: it never expires. Absent: 90 days. */
  readonly lifetimeMs?: number | null | undefined
}

export interface CreatedToken {
  readonly token: TokenFacts
  readonly text: Secret
}

export interface WhoAmI extends Actor {
  readonly expiresAt?: Instant | undefined
  /** What role and scope permit; policies may still forbid. */
  readonly actions: readonly ApiAction[]
}

/** The log of what happened. Entries are numbered from 0; nothing of it can be changed. */
export interface AuditControl {
  /** The newest entries that match, newest first. @throws `not-found` / `agent.absent` */
  list(query: AuditQuery, signal: AbortSignal): Promise<readonly LoggedEntry[]>
  /** @throws `not-found` / `audit.absent` */
  entry(index: number): Promise<LoggedEntry>
  /** The entries that match, from `from` on, or from now; goes on until the signal is aborted. */
  follow(
    query: Omit<AuditQuery, 'limit' | 'before'> & { readonly from?: number | undefined },
    signal: AbortSignal,
  ): AsyncIterable<LoggedEntry>
  /** The line that a verifier needs: `<name>+<id>+<key>`. */
  key(): Promise<string>
  /** A signed checkpoint of no fewer entries than are in the log now (C2SP tlog-checkpoint). */
  checkpoint(): Promise<string>
  /** What a path of C2SP tlog-tiles names: `tile/<L>/<N>`, `tile/entries/<N>`. @throws `not-found` */
  tile(path: string): Promise<Uint8Array>
  /**
   * A proof that an entry is in the log, of its present size or an earlier one, which can be checked
   * without it (C2SP tlog-proof). @throws `not-found` / `audit.absent` · `unavailable` / `audit.forked`
   */
  prove(index: number, size?: number): Promise<string>
  /** Looks the whole log over. @throws `exhausted` / `audit.busy` somebody else has it done now */
  verify(onProgress: (progress: AuditProgress) => void, signal: AbortSignal): Promise<AuditReport>
}

/** Absent fields match everything. */
export interface AuditQuery {
  /** A type of entry, or with `*` at its end all that begin so. */
  readonly type?: string | undefined
  readonly actor?: string | undefined
  readonly agentRef?: string | undefined
  readonly executionId?: string | undefined
  readonly since?: Instant | undefined
  readonly until?: Instant | undefined
  /** Only entries before this one. */
  readonly before?: number | undefined
  /** Default 20, at most 1000. */
  readonly limit?: number | undefined
}

export interface LoggedEntry {
  readonly index: number
  /** Hash of its leaf, in base64. */
  readonly hash: string
  /** Undefined where the retention dropped it. */
  readonly entry: AuditEntry | undefined
}

export interface PolicyControl {
  /**
   * All policies in force: the product's own, the operator's, and those that manifests were compiled
   * to, of one agent or of all. @throws `not-found` / `agent.absent`
   */
  list(options?: { readonly agentRef?: string | undefined }): Promise<PolicyList>
  /** What would become of a request of an agent, and why. @throws `not-found` / `agent.absent` */
  explain(agentRef: string, request: AgentRequest): Promise<PolicyExplanation>
  /**
   * Reads files as the operator's policies and puts nothing in force. With `againstAgents` it tells
   * which of the agents that are deployed would be refused under them.
   */
  check(
    files: readonly PolicyFile[],
    options?: { readonly againstAgents?: boolean | undefined },
  ): Promise<PolicyReview>
}

export interface PolicyList extends PolicyState {
  readonly policies: readonly PolicySummary[]
}

export interface PolicyExplanation extends PolicyDecision {
  /** The policies that made the decision. */
  readonly deciding: readonly PolicySummary[]
}

export interface NodeControl {
  status(): Promise<NodeStatus>
  /** What the host offers to each isolation, in the order in which `inherit` prefers them. */
  doctor(signal: AbortSignal): Promise<readonly NodeFinding[]>
}

export interface NodeFinding extends HostFinding {
  readonly isolation: Isolation
}

export interface NodeStatus {
  readonly name: string
  readonly version: string
  readonly pid: number
  readonly uptimeSeconds: number
  readonly executions: Readonly<Record<ExecutionStatus, number>>
  readonly capacity: NodeCapacity
  readonly sandboxes: SandboxCounts
  /** True when the offline scripted provider answers because no other is configured. */
  readonly scriptedModel: boolean
  /** True when other machines may reach the API, and without TLS. */
  readonly exposed: boolean
}

export interface NodeCapacity {
  readonly cpuMillicores: number
  readonly memoryBytes: number
  readonly freeCpuMillicores: number
  readonly freeMemoryBytes: number
}
