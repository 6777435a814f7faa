import { trustBundlePath } from '../egress/network-environment.ts'
import { opensTls } from '../egress/plan-egress.ts'
import type { AgentGateway } from '../execution/agent-gateway.ts'
import { iterationEnvironment } from '../execution/iteration-environment.ts'
import { executionId } from '../kernel/ids.ts'
import type { ExecCommand, SandboxFile } from '../sandbox/sandbox.ts'
import { type AgentProgram, type BootstrapOf, programOf } from './agent-program.ts'
import type { SandboxRecipe } from './sandbox-recipe.ts'

export interface ContentsDeps {
  readonly bootstrap: BootstrapOf
  readonly gateway: Pick<AgentGateway, 'trustBundle'>
  /** Shows what the bootstrap script does, on its stderr. */
  readonly debug: boolean
}

/** What belongs into an agent's sandbox before there is a task. */
export interface SandboxContents {
  readonly program: AgentProgram
  readonly files: readonly SandboxFile[]
  /** Of this life of the node alone, so that a snapshot may have an older one: to be put in after it, too. */
  readonly trust: readonly SandboxFile[]
  /** Starts the program so that it waits for its task; undefined where it cannot wait. */
  readonly standby: ExecCommand | undefined
}

/** @throws AegisError what `programOf` throws */
export async function contentsOf(
  { bootstrap, gateway, debug }: ContentsDeps,
  recipe: SandboxRecipe,
): Promise<SandboxContents> {
  const program = programOf(bootstrap, recipe)
  // What a sandbox has to trust whose TLS ends at the gateway.
  const trust = opensTls(recipe.manifest)
    ? [{ path: trustBundlePath, content: await gateway.trustBundle() }]
    : []
  return {
    program,
    files: program.files,
    trust,
    standby: program.standsBy ? waiting(recipe, program, debug) : undefined,
  }
}

/** The variables that belong to a task are not known yet: they come with it, on stdin. */
function waiting(
  { manifest, agentId }: SandboxRecipe,
  { argv }: AgentProgram,
  debug: boolean,
): ExecCommand {
  const nobody = { executionId: executionId(''), iteration: 0, history: [], secrets: {} }
  const env = iterationEnvironment({ manifest, agentId, debug, ...nobody })
  return { argv, env: { ...env, AEGIS_BOOTSTRAP_STANDBY: '1' }, cwd: '/workspace' }
}
