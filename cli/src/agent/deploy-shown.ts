import type { AgentControl, AgentManifest, DeployResult } from '@aegis/core'
import { showPull } from '../image/show-pull.ts'
import { untilInterrupted } from '../log/until-interrupted.ts'
import type { CommandContext } from '../program/command-context.ts'

/** Deploys, and shows the pull of the image where one is needed; Ctrl-C gives it up. */
export async function deployShown(
  context: Pick<CommandContext, 'terminal' | 'interrupts'>,
  agents: Pick<AgentControl, 'deploy'>,
  manifest: AgentManifest,
  { replace, signed }: { readonly replace: boolean; readonly signed?: string | undefined },
): Promise<DeployResult | 'interrupted'> {
  using shown = showPull(context.terminal)
  return await untilInterrupted(context, (signal) =>
    agents.deploy(manifest, { replace, signed, onProgress: shown.onProgress, signal }),
  )
}
