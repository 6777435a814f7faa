import { AegisError, type AgentControl, type AgentManifest, type DeployResult } from '@aegis/core'
import type { CommandContext } from '../program/command-context.ts'
import { deployShown } from './deploy-shown.ts'

/**
 * Deploys a manifest, in place of another one under its name. The same one again keeps its revision
 * and the image that is pinned: a replacement would look up what its tag means by now.
 */
export async function deployUnlessSame(
  context: Pick<CommandContext, 'terminal' | 'interrupts'>,
  agents: Pick<AgentControl, 'deploy'>,
  manifest: AgentManifest,
  { signed }: { readonly signed?: string | undefined } = {},
): Promise<DeployResult | 'interrupted'> {
  try {
    return await deployShown(context, agents, manifest, { replace: false, signed })
  } catch (error) {
    if (!(error instanceof AegisError) || error.code !== 'agent.exists') throw error
    return await deployShown(context, agents, manifest, { replace: true, signed })
  }
}
