import type { AegisError, Isolation, SandboxRuntime } from '@aegis/core'

/**
 * Stands for a runtime that cannot be opened on this host: it says why to whoever wants it, and lets
 * the others work.
 */
export function absentRuntime(isolation: Isolation, because: AegisError): SandboxRuntime {
  return {
    isolation,
    capabilities: () => Promise.reject(because),
    boot: () => Promise.reject(because),
    sweep: async () => ({ removed: [] }),
    diagnose: async () => [{ name: isolation, state: 'missing', detail: because.message }],
    [Symbol.asyncDispose]: async () => {},
  }
}
