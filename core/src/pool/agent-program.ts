import { contextFiles } from '../execution/context-files.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { SandboxFile } from '../sandbox/sandbox.ts'
import { interpreterOf, type SandboxRecipe } from './sandbox-recipe.ts'

/** The script that runs an agent which has a prompt but no program of its own. */
export interface Bootstrap {
  readonly file: SandboxFile
  readonly argv: readonly [string, ...string[]]
  /**
   * With `AEGIS_BOOTSTRAP_STANDBY=1` it can be started before there is a task: it then waits on its
   * stdin for one line of JSON, `{"env":{…}}`, behind which the prompt follows.
   */
  readonly standsBy?: boolean
}

export type BootstrapOf = (language: 'python' | 'javascript') => Bootstrap

/** What runs in an agent's sandbox. */
export interface AgentProgram {
  readonly argv: readonly [string, ...string[]]
  /** Whether the prompt is an argument as well, when it is short enough. */
  readonly takesPrompt: boolean
  readonly standsBy: boolean
  /** What has to be in the sandbox first. */
  readonly files: readonly SandboxFile[]
}

/** Whether its program can be started before there is a task. */
export function canStandBy(bootstrapOf: BootstrapOf, recipe: SandboxRecipe): boolean {
  const { language } = interpreterOf(recipe.manifest)
  if (recipe.manifest.spec.task.command !== undefined || language === 'none') return false
  return bootstrapOf(language).standsBy === true
}

/**
 * The program of an agent: its own command, else the bootstrap script of its language.
 * @throws AegisError `unsupported` / `runtime.language` · `context.unresolved`
 */
export function programOf(bootstrapOf: BootstrapOf, { manifest }: SandboxRecipe): AgentProgram {
  const files = contextFiles(manifest)
  const own = manifest.spec.task.command
  if (own !== undefined) return { argv: own, takesPrompt: false, standsBy: false, files }
  const { language } = interpreterOf(manifest)
  if (language === 'none') {
    throw new AegisError(
      'unsupported',
      'runtime.language',
      `There is no bootstrap script for language "${manifest.spec.runtime.language}". Use python or javascript, or give spec.task.command.`,
    )
  }
  const { file, argv, standsBy = false } = bootstrapOf(language)
  return { argv, takesPrompt: true, standsBy, files: [file, ...files] }
}
