import { whyNotNow } from '../../engine/requirements.ts'
import { runcHostKind, runscHostKind } from './docker-host.ts'
import { qemuHostKind } from './machine-host.ts'
import { processHostKind } from './process-host.ts'
import type { SandboxHostKind } from './sandbox-host.ts'

/** An emulated processor takes minutes for all that is tried on it. */
const nightlyQemu: SandboxHostKind = {
  ...qemuHostKind,
  whyNot: () => whyNotNow() ?? qemuHostKind.whyNot(),
}

/** All real ones. The attacks are tried on each. */
export const hostKinds: readonly SandboxHostKind[] = [
  processHostKind,
  runcHostKind,
  runscHostKind,
  nightlyQemu,
]
