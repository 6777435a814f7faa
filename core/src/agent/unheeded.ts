import type { AgentManifest } from './agent-manifest.ts'

/**
 * What a manifest asks for that nothing acts upon yet, one sentence each. It is accepted, since
 * none of it would give an agent more than it has; but its author should know.
 */
export function unheeded({ spec }: AgentManifest): readonly string[] {
  const { execution, schedule, tools, advanced } = spec
  const judged = Object.keys(execution.validation ?? {}).filter((name) => name !== 'system')
  return [
    judged.length > 0 &&
      `spec.execution.validation (${judged.join(', ')}) is not judged yet: an iteration is accepted when its exit code is 0 and it printed something.`,
    execution.delivery !== undefined &&
      'spec.execution.delivery is not carried out yet: read the output with aegis task status.',
    schedule !== undefined &&
      schedule.type !== 'manual' &&
      'spec.schedule starts nothing yet: run the agent with aegis task execute.',
    tools.length > 0 && 'spec.tools are not offered yet.',
    advanced.swarm_enabled && 'spec.advanced.swarm_enabled has no effect yet.',
    advanced.startup_script !== undefined && 'spec.advanced.startup_script is not run yet.',
    advanced.health_check !== undefined && 'spec.advanced.health_check is not asked yet.',
  ].filter((sentence) => sentence !== false)
}
