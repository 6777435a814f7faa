import type { ImageStore } from '../image/image-store.ts'
import type { Sandbox } from './sandbox.ts'
import type { SandboxSnapshots } from './sandbox-snapshots.ts'
import type { Interpreter, Isolation, SandboxSpec } from './sandbox-spec.ts'

export interface SandboxCapabilities {
  /** Limits that this host enforces; a spec that needs another is refused. */
  readonly limits: {
    readonly cpu: boolean
    readonly memory: boolean
    readonly pids: boolean
    readonly disk: boolean
  }
  readonly terminal: boolean
  readonly languages: readonly Interpreter['language'][]
  /** Boots from OCI images; the languages are then those that an image can bring. */
  readonly images: boolean
  readonly applicationKernels: readonly 'gvisor'[]
  readonly gpus: boolean
  /**
   * Whether lent host paths are mounted by name, after they were checked: whoever may write above
   * one could swap it.
   */
  readonly lendsByName: boolean
  /**
   * Whether an address of the world leads into the sandbox itself, whose ports take it over like a
   * name, and the rest of which is refused at once and told as `connect-denied`. Elsewhere there is
   * no route, so that nothing is reached either, but nothing is told.
   */
  readonly capturesAddresses: boolean
}

export interface SweepReport {
  /** What was found and destroyed, one line each, for the log. */
  readonly removed: readonly string[]
}

/** One thing `aegis doctor` looked at. */
export interface HostFinding {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'missing'
  readonly detail: string
  /** The exact command or setting that mends it. */
  readonly remedy?: string
}

/**
 * Boots sandboxes on one host. Methods may run concurrently. The caller picks the id, so that a
 * crashed owner's sandboxes can be found again.
 */
export interface SandboxRuntime extends AsyncDisposable {
  readonly isolation: Isolation
  /** Present when it boots from images. */
  readonly images?: ImageStore
  /** Present when it can bring sandboxes up from snapshots. */
  readonly snapshots?: SandboxSnapshots
  /**
   * What it can do on this host.
   * @throws AegisError `unavailable` when it cannot be asked now
   */
  capabilities(signal: AbortSignal): Promise<SandboxCapabilities>
  /**
   * Resolves once the guest has said hello; leaves nothing behind when it throws.
   * @throws AegisError `exhausted` the host is full · `unsupported` the spec needs a missing
   * capability · `unavailable` the box did not come up, for `guest.reseed` since its guest proved no
   * random numbers of its own
   */
  boot(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>
  /** Destroys whatever an earlier, crashed owner left. Run before the first boot. Repeatable. */
  sweep(signal: AbortSignal): Promise<SweepReport>
  /** What this host offers and lacks. */
  diagnose(signal: AbortSignal): Promise<readonly HostFinding[]>
}
