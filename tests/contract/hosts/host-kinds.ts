import { processHostKind } from './process-host.ts'
import type { SandboxHostKind } from './sandbox-host.ts'

/** All real ones. A suite of attacks runs against each. */
export const hostKinds: readonly SandboxHostKind[] = [processHostKind]
