import { imageReferenceOf } from '../image/image-reference.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
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

/** @throws AegisError `denied` / `policy.denied` */
export function requirePermit({ allow, because, policies }: PolicyDecision): void {
  if (!allow) throw new AegisError('denied', 'policy.denied', because, { details: { policies } })
}
