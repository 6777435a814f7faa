import type { AuditEntry } from '@aegis/core'
import { afterAll, beforeAll, describe } from 'vitest'
import { printedTo } from '../e2e/told-events.ts'
import { testKernel } from '../engine/guest-kernel.ts'
import { describeAttacks } from './describe-attacks.ts'
import { describeClients } from './describe-clients.ts'
import { describeSecrets } from './describe-secrets.ts'
import { type EgressKind, engineOf } from './egress-kinds.ts'
import { type EgressAgent, type EgressNode, openEgressNode } from './egress-node.ts'
import { type Probe, readProbes } from './probe-lines.ts'
import { openWorld, type World } from './world/open-world.ts'

/** One world and one node, open while the tests of a suite run. */
export interface EgressScene {
  readonly kind: EgressKind
  /** From `beforeAll` on, as is the node. */
  readonly world: World
  readonly node: EgressNode
}

/** What an agent tried, and what the log tells of it. */
export interface Tried {
  readonly executionId: string
  readonly probes: ReadonlyMap<string, Probe>
  readonly audit: readonly AuditEntry[]
  /** The entries of what was refused. */
  readonly denied: readonly AuditEntry[]
}

/** All that is proven of connections, for one way to isolate agents. */
export function egressSuite(kind: EgressKind): void {
  const { name, whyNot } = kind
  describe.skipIf(whyNot)(`${name}${whyNot ? ` (${whyNot})` : ''}`, () => {
    const scene = openEgressScene(kind)
    describeClients(scene)
    describeAttacks(scene)
    describeSecrets(scene)
  })
}

function openEgressScene(kind: EgressKind): EgressScene {
  let world: World | undefined
  let node: EgressNode | undefined
  beforeAll(async () => {
    const kernel = kind.isolation === 'firecracker' ? testKernel() : undefined
    const opening = [openWorld(), engineOf(kind.isolation), kernel] as const
    const [opened, engine, kernelDirectory] = await Promise.all(opening)
    world = opened
    node = await openEgressNode(opened, {
      ...(engine && { engine }),
      ...(kernelDirectory !== undefined && { kernelDirectory }),
    })
  }, 180_000)
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]()
    await world?.[Symbol.asyncDispose]()
  })
  const opened = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('The scene is open in tests only')
    return value
  }
  return {
    kind,
    get world() {
      return opened(world)
    },
    get node() {
      return opened(node)
    },
  }
}

/** `timeoutSeconds`: on a processor of its own. Default 120. */
type TriedAgent = Omit<EgressAgent, 'isolation' | 'sandbox' | 'timeout'> & {
  readonly timeoutSeconds?: number
}

/** Runs the agent before the tests of the suite that calls it. */
export function tryBefore(scene: EgressScene, agent: () => Promise<TriedAgent>): () => Tried {
  let tried: Tried | undefined
  beforeAll(
    async () => {
      const { node, kind } = scene
      const { isolation, sandbox, slowness = 1 } = kind
      const { timeoutSeconds = 120, ...asked } = await agent()
      const timeout = `${timeoutSeconds * slowness}s`
      const own = { ...asked, timeout, isolation, ...(sandbox && { sandbox }) }
      const { id: executionId, events } = await node.runAgent(own)
      const audit = await node.audit(executionId)
      tried = {
        executionId,
        probes: readProbes(printedTo('stdout', events)),
        audit,
        denied: audit.filter(({ type }) => type === 'execution.denied'),
      }
    },
    300_000 * (scene.kind.slowness ?? 1),
  )
  return () => {
    if (tried === undefined) throw new Error('The agent has run in tests only')
    return tried
  }
}
