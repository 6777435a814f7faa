import type { Isolation } from '@aegis/core'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { whyNoEngine, whyNoGvisor, whyNoQemu, whyNotNow } from '../engine/requirements.ts'
import { sharedTestEngine } from '../engine/shared-engine.ts'
import type { Engine } from '../engine/test-engine.ts'
import { whyNoWorld } from './world/requirements.ts'

/** One way to isolate an agent, and why it cannot be tested here. */
export interface EgressKind {
  readonly name: string
  readonly whyNot: string | undefined
  readonly isolation: Isolation
  readonly sandbox?: 'gvisor'
  /** Whether it tells of connections to addresses that nobody listens on. */
  readonly captures: boolean
  /** How many times as long everything takes there. Default 1. */
  readonly slowness?: number
}

export const processEgress = (): EgressKind => ({
  name: 'process',
  whyNot: whyNoWorld() ?? whyNoProcessHost(),
  isolation: 'process',
  captures: true,
})

export const runcEgress = (): EgressKind => ({
  name: 'docker/runc',
  whyNot: whyNoWorld() ?? whyNoEngine(),
  isolation: 'docker',
  captures: false,
})

export const runscEgress = (): EgressKind => ({
  name: 'docker/runsc',
  whyNot: whyNoWorld() ?? whyNoGvisor(),
  isolation: 'docker',
  sandbox: 'gvisor',
  captures: false,
})

export const qemuEgress = (): EgressKind => ({
  name: 'firecracker/qemu',
  whyNot: whyNotNow() ?? whyNoWorld() ?? whyNoEngine() ?? whyNoQemu(),
  isolation: 'firecracker',
  captures: true,
  slowness: 8,
})

/** The engine that the image of the clients comes from. */
export async function engineOf(isolation: Isolation): Promise<Engine | undefined> {
  if (isolation === 'process') return undefined
  const engine = await sharedTestEngine()
  await engine.image('clients')
  return engine
}
