import type { ExecCommand, Sandbox, SandboxCapabilities, SandboxProcess } from '@aegis/core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { ContractCommands } from '../contract-commands.ts'
import { type Collected, collect, type SpecOverrides } from '../sandbox-driver.ts'
import type { SandboxHost, SandboxHostKind } from './sandbox-host.ts'

/** One host, open while the tests of a suite run, and what they do with it. */
export interface HostScene {
  readonly kind: SandboxHostKind
  readonly commands: ContractCommands
  /** From `beforeAll` on, as are the others. */
  readonly host: SandboxHost
  readonly capabilities: SandboxCapabilities
  boot(overrides?: SpecOverrides): Promise<Sandbox>
  /** Starts a command in /workspace. */
  start(
    sandbox: Sandbox,
    argv: ExecCommand['argv'],
    more?: Partial<ExecCommand>,
  ): Promise<SandboxProcess>
  /** Starts one and reads it to its end. */
  run(sandbox: Sandbox, argv: ExecCommand['argv'], env?: ExecCommand['env']): Promise<Collected>
}

export const never = new AbortController().signal
export const MiB = 1 << 20

/** Opens a host of this kind for the suite that calls it. */
export function openHostScene(kind: SandboxHostKind): HostScene {
  let open: SandboxHost | undefined
  let asked: SandboxCapabilities | undefined
  beforeAll(async () => {
    open = await kind.open()
    asked = await open.runtime.capabilities(never)
  }, 180_000)
  afterAll(() => open?.[Symbol.asyncDispose]())
  const opened = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('The host is open in tests only')
    return value
  }
  const start: HostScene['start'] = (sandbox, argv, more) =>
    sandbox.exec({ argv, cwd: '/workspace', env: { PATH: kind.path }, ...more }, never)
  return {
    kind,
    commands: kind.commands,
    get host() {
      return opened(open)
    },
    get capabilities() {
      return opened(asked)
    },
    boot: (overrides) => opened(open).boot(overrides),
    start,
    run: async (sandbox, argv, env = {}) =>
      collect(await start(sandbox, argv, { env: { PATH: kind.path, ...env } })),
  }
}

/** One sandbox for all tests of a suite, which leave it as usable as they found it. */
export function shareSandbox(
  scene: HostScene,
  overrides?: SpecOverrides | (() => Promise<SpecOverrides>),
): () => Sandbox {
  let shared: Sandbox | undefined
  beforeAll(async () => {
    shared = await scene.boot(typeof overrides === 'function' ? await overrides() : overrides)
  })
  afterAll(() => scene.host.tidy())
  return () => {
    if (shared === undefined) throw new Error('The sandbox is there in tests only')
    return shared
  }
}

/** For suites whose tests boot sandboxes of their own: each has to leave nothing behind. */
export function tidyAfterEach(scene: HostScene): void {
  afterEach(() => scene.host.tidy())
}
