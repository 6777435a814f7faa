import type { Actor } from '../access/actor.ts'
import type { AuditTrail } from '../audit/audit-entry.ts'
import { imageReferenceOf } from '../image/image-reference.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import type { AgentId } from '../kernel/ids.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import type { LifecycleAction } from '../policy/policy-action.ts'
import type { PolicyDecision } from '../policy/policy-engine.ts'
import type { DeployRequest } from '../policy/policy-request.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { AgentManifest } from './agent-manifest.ts'
import { chooseIsolation, type RunnableDeps } from './check-runnable.ts'

interface Deps extends RunnableDeps {
  readonly config: RunnableDeps['config'] & Pick<RuntimeConfig, 'images'>
}

/**
 * What this node would run an agent with, for the policies to judge.
 * @throws what `chooseIsolation` and `imageReferenceOf` throw
 */
export function deployRequestOf(
  deps: Deps,
  manifest: AgentManifest,
  asked?: Isolation,
): DeployRequest {
  const isolation = chooseIsolation(deps, manifest, asked)
  const boots = deps.runtimes.get(isolation)?.images !== undefined
  return { isolation, ...(boots && { image: imageReferenceOf(manifest, deps.config.images) }) }
}

/** Who asks for what, and where the answer is written down. */
export interface PermitDeps {
  readonly audit: AuditTrail
  readonly actor: Actor
  readonly clock: Pick<Clock, 'now'>
}

export interface PermitQuestion {
  readonly action: LifecycleAction
  readonly agentId: AgentId
  readonly agentName: string
}

/**
 * Resolves when a permit is on record; who goes on without waiting awaits it before it answers.
 * @throws AegisError `denied` / `policy.denied`, once that is on record
 */
export async function requirePermit(
  { audit, actor, clock }: PermitDeps,
  { action, agentId, agentName }: PermitQuestion,
  { allow, because, policies }: PolicyDecision,
): Promise<void> {
  const data = { action, name: agentName, allow, because, policies }
  const entry = { at: clock.now(), type: 'policy.decided', actor: actor.name, agentId, data }
  await audit.record([entry])
  if (!allow) throw new AegisError('denied', 'policy.denied', because, { details: { policies } })
}
