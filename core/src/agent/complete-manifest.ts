import type { AgentManifest } from './agent-manifest.ts'

/** A manifest as it was stored, perhaps before AEGIS knew all that one can say today. */
export function completeManifest(stored: AgentManifest): AgentManifest {
  const { spec } = stored
  const added = { http: [], opaque: [], limits: {} }
  return {
    ...stored,
    spec: {
      ...spec,
      security: { ...spec.security, network: { ...added, ...spec.security.network } },
      secrets: spec.secrets ?? {},
    },
  }
}
