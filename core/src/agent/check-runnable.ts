import { contextFiles } from '../execution/context-files.ts'
import { renderPrompt } from '../execution/render-prompt.ts'
import { interpreterOf } from '../execution/run-iteration.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import type { SandboxCapabilities, SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { AgentManifest } from './agent-manifest.ts'

export interface RunnableDeps {
  /** In the order of preference for `inherit`. */
  readonly runtimes: ReadonlyMap<Isolation, SandboxRuntime>
  readonly config: Pick<RuntimeConfig, 'default_isolation' | 'host_paths' | 'allow_weaker'>
}

/**
 * The isolation an execution will run under: what was asked for, else the manifest's, else the
 * node's default, else the first this node has.
 * @throws AegisError `unsupported` / `runtime.absent`
 */
export function chooseIsolation(
  { runtimes, config }: RunnableDeps,
  manifest: AgentManifest,
  asked?: Isolation,
): Isolation {
  const wishes = [asked, manifest.spec.runtime.isolation, config.default_isolation]
  const wish = wishes.find((one) => one !== undefined && one !== 'inherit')
  const available = [...runtimes.keys()]
  const chosen = available.find((one) => one === wish || wish === undefined)
  if (chosen !== undefined) return chosen
  const list = available.length === 0 ? 'none' : available.join(', ')
  throw new AegisError(
    'unsupported',
    'runtime.absent',
    `This node has no ${wish ?? 'sandbox'} runtime (it has: ${list}). Choose one it has with spec.runtime.isolation or --isolation, or see aegis doctor.`,
  )
}

/**
 * Refuses, with the reason, what this node could not run or could not enforce.
 * @throws AegisError `unsupported` · `denied` · `invalid`
 */
export function checkRunnable(
  deps: RunnableDeps,
  manifest: AgentManifest,
  asked?: Isolation,
): void {
  const isolation = chooseIsolation(deps, manifest, asked)
  const runtime = deps.runtimes.get(isolation)
  if (runtime === undefined) throw new Error('An isolation was chosen that no runtime has')
  checkTask(manifest)
  checkLanguage(manifest, runtime)
  checkLimits(runtime.capabilities, isolation, deps.config.allow_weaker)
  checkHostPaths(manifest, deps.config.host_paths)
  contextFiles(manifest)
}

function checkTask(manifest: AgentManifest): void {
  const { prompt_template: template, command } = manifest.spec.task
  if (template === undefined && command === undefined) {
    throw new AegisError(
      'invalid',
      'manifest.task',
      'spec.task needs a prompt_template (the bootstrap sends it to the model) or a command (an argv that runs instead).',
    )
  }
  if (template === undefined) return
  renderPrompt({ template, instruction: '', input: '', iteration: 1, history: [] })
}

function checkLanguage(manifest: AgentManifest, runtime: SandboxRuntime): void {
  const { language } = interpreterOf(manifest)
  const asked = manifest.spec.runtime.language
  if (language === 'none' && manifest.spec.task.command === undefined) {
    throw new AegisError(
      'unsupported',
      'runtime.language',
      `spec.runtime.language "${asked}" has no bootstrap script. Use python or javascript, or give spec.task.command.`,
    )
  }
  if (language === 'none' || runtime.capabilities.languages.includes(language)) return
  const remedy =
    language === 'python'
      ? 'Install it (apt-get install python3) and start AEGIS again, or use language javascript.'
      : 'See aegis doctor.'
  throw new AegisError(
    'unsupported',
    'runtime.language',
    `The ${runtime.isolation} runtime of this node has no interpreter for "${asked}". ${remedy}`,
  )
}

function checkLimits(
  { limits }: SandboxCapabilities,
  isolation: Isolation,
  allowed: readonly string[],
): void {
  const missing = Object.entries(limits).flatMap(([name, enforced]) => (enforced ? [] : [name]))
  if (missing.length === 0 || allowed.includes('cgroup')) return
  throw new AegisError(
    'unsupported',
    'runtime.limits',
    `The ${isolation} runtime cannot enforce the limits for ${missing.join(', ')} on this host. See aegis doctor for the remedy, or accept it by name: spec.runtime.allow_weaker: [cgroup] in the node config.`,
  )
}

function checkHostPaths(manifest: AgentManifest, allowed: RuntimeConfig['host_paths']): void {
  const { read, write } = manifest.spec.security.filesystem
  for (const [kind, paths, permitted] of [
    ['read', read, [...allowed.read, ...allowed.write]],
    ['write', write, allowed.write],
  ] as const) {
    for (const path of paths) {
      if (isInside(path, ['/workspace', '/tmp', ...permitted])) continue
      throw new AegisError(
        'denied',
        'filesystem.denied',
        `spec.security.filesystem.${kind}: the operator of this node does not share ${path}. To share it, add it to spec.runtime.host_paths.${kind} of the node config.`,
      )
    }
  }
}

const isInside = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(root === '/' ? '/' : `${root}/`))
