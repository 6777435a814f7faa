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

const sharingKinds: readonly SandboxHostKind[] = [processHostKind, runcHostKind, runscHostKind]

/** All real ones. The attacks are tried on each. */
export const hostKinds: readonly SandboxHostKind[] = [...sharingKinds, nightlyQemu]

/** The same, for a suite that takes an emulated processor seconds rather than minutes. */
export const promptKinds: readonly SandboxHostKind[] = [...sharingKinds, qemuHostKind]
