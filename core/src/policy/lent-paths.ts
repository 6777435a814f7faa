import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { AccessDenial } from '../execution/execution-event.ts'
import type { AgentPolicy } from './policy-engine.ts'

/** The first host path that a manifest wants and the policy does not let it have now. */
export function deniedPath(policy: AgentPolicy, { spec }: AgentManifest): AccessDenial | undefined {
  const { read, write } = spec.security.filesystem
  const wishes = [
    ...read.map((path) => ({ action: 'fs.read', path }) as const),
    ...write.map((path) => ({ action: 'fs.write', path }) as const),
  ]
  for (const { action, path } of wishes) {
    const { allow, because: reason, policies } = policy.decide({ action, path })
    if (!allow) return { action, subject: path, reason, code: 'fs.forbidden', policies }
  }
  return undefined
}
