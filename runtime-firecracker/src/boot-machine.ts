import { join } from 'node:path'
import type { SandboxSpec } from '@aegis/core'
import type { GuestSession, MachineGuest } from '@aegis/sandbox'
import type { Machine } from './machine/monitor.ts'
import {
  gatherParts,
  type MachineHost,
  type MachineParts,
  openSession,
  sandboxOf,
} from './machine-host.ts'
import type { MachineSandbox } from './machine-sandbox.ts'
import { makeScratchDisk } from './scratch-disk.ts'

export interface BootedMachine extends MachineParts {
  readonly sandbox: MachineSandbox
  readonly session: GuestSession
  readonly machine: Machine
}

export interface BootOptions {
  readonly forSnapshot: boolean
  /** What the guest's clock is set to. Default: this host's. */
  readonly now?: MachineGuest['now']
}

/**
 * Boots one machine. Whatever a step took is given back in reverse when a later one fails, and else
 * when the sandbox is disposed; `undo` may hold what the caller took before.
 */
export async function bootMachine(
  host: MachineHost,
  spec: SandboxSpec,
  options: BootOptions,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<BootedMachine> {
  await using steps = undo.move()
  const started = performance.now()
  const { diskBytes } = spec.limits
  const format = (directory: string) =>
    makeScratchDisk(join(directory, 'scratch'), diskBytes, signal)
  const { forSnapshot, now } = options
  const parts = await gatherParts(host, spec, forSnapshot, format, steps, signal)
  const prepared = performance.now()
  const machine = steps.use(await host.monitor.boot(parts.plan, signal))
  const opened = performance.now()
  const session = await openSession(host, spec, machine, { ...(now && { now }) }, signal)
  const phases = { prepare: prepared - started, hello: performance.now() - opened }
  const sandbox = sandboxOf(host, spec, { image: parts.image, machine, session, phases }, steps)
  return { ...parts, sandbox, session, machine }
}
