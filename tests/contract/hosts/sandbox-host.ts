import type { Sandbox, SandboxRuntime, SandboxSpec } from '@aegis/core'
import { describe } from 'vitest'
import type { ContractCommands } from '../contract-commands.ts'
import type { SpecOverrides } from '../sandbox-driver.ts'
import type { RuntimeChoice } from './open-runtime.ts'

/** A way to make sandboxes that the contract and the attacks run against. */
export interface SandboxHostKind {
  /** Begins the name of each of its tests, so that `vitest -t '^docker/runc'` runs them alone. */
  readonly name: string
  /** Why it cannot be tested here; throws instead when `AEGIS_REQUIRE` names what is missing. */
  whyNot(): string | undefined
  readonly commands: ContractCommands
  /** PATH for commands inside. */
  readonly path: string
  /** The Node that agents have inside; absent where a sandbox runs no programs. */
  readonly nodePath?: string
  /** Variables that commands have without being given them. */
  readonly environment: Readonly<Record<string, string>>
  /** Where the guest program lies inside. */
  readonly guestPlace: string
  /**
   * Whether a process that takes too much memory, or starts too many others, is all that ends of it,
   * rather than the whole sandbox.
   */
  readonly outlivesLimits: boolean
  /** Whether terminals act on Ctrl-C and Ctrl-D, and tell of a new size. */
  readonly terminalsAct: boolean
  readonly bootsImages: boolean
  /** Whether they are containers: an engine is near, and volumes of images have places of their own. */
  readonly containers: boolean
  /** Whether host paths can be lent to its sandboxes. */
  readonly lends: boolean
  /** Whether each has a kernel of its own, whose first process is the guest: no script can be that. */
  readonly ownKernel: boolean
  /** How much slower than a process a sandbox is, for deadlines and pauses. */
  readonly slowness: number
  /** How much of a host's core may be used for each core of a limit: 1 but where one is emulated. */
  readonly hostCores: number
  open(options?: GuestOptions): Promise<SandboxHost>
}

/** The program in the guest's place, and the patience with it; the defaults are the product's. */
export interface GuestOptions {
  readonly guestPath?: string
  readonly helloTimeoutMs?: number
  readonly pingIntervalMs?: number
  readonly pingTimeoutMs?: number
}

/** A runtime with a state of its own, and a look at what it leaves behind. */
export interface SandboxHost extends AsyncDisposable {
  readonly kind: SandboxHostKind
  readonly runtime: SandboxRuntime
  /** A directory like AEGIS_HOME, which no sandbox may see. */
  readonly home: string
  /** To open a runtime on the same state; absent where nothing outlives its process. */
  readonly choice?: RuntimeChoice
  /** A small, harmless sandbox with an id of its own. */
  spec(overrides?: SpecOverrides): SandboxSpec
  /** Boots a sandbox that ends with `tidy`. */
  boot(overrides?: SpecOverrides): Promise<Sandbox>
  /** What there is of sandboxes now, in words: processes, cgroups, containers, volumes, mounts. */
  traces(): Promise<readonly string[]>
  /** Fails when there are traces. */
  expectNothingLeft(): Promise<void>
  /** Ends what `boot` booted and expects that nothing is left of it. */
  tidy(): Promise<void>
  /** Where sandboxes boot from images. */
  readonly images?: HostImages
}

/** The images that tests boot from, see tests/engine. */
export interface HostImages {
  /** By reference; made by the first who asks. */
  get(name: 'python' | 'node' | 'tiny'): Promise<string>
  /** An image on top of the one with Node, with these instructions and files; gone with the host. */
  make(changes: readonly string[], files?: readonly ImageFile[]): Promise<string>
}

export interface ImageFile {
  /** Absolute. */
  readonly path: string
  /** Bytes, or the number of the block device that it is. */
  readonly content: Uint8Array | { readonly major: number; readonly minor: number }
  /** With the set-user-id bit, if need be. */
  readonly mode: number
}

/** Writes a suite once, to be run on each of these kinds of host that can be had here, the slow ones with patience. */
export function describeOnHosts(
  kinds: readonly SandboxHostKind[],
  title: string,
  suite: (kind: SandboxHostKind) => void,
): void {
  for (const kind of kinds) {
    const why = kind.whyNot()
    const timeout = 30_000 * Math.min(kind.slowness, 4)
    describe.skipIf(why)(`${kind.name}: ${title}${why ? ` (${why})` : ''}`, { timeout }, () =>
      suite(kind),
    )
  }
}
