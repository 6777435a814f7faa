import { runcHostKind, runscHostKind } from './docker-host.ts'
import { processHostKind } from './process-host.ts'
import type { SandboxHostKind } from './sandbox-host.ts'

/** All real ones. The attacks are tried on each. */
export const hostKinds: readonly SandboxHostKind[] = [processHostKind, runcHostKind, runscHostKind]
