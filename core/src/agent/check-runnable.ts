import { contextFiles } from '../execution/context-files.ts'
import { renderPrompt } from '../execution/render-prompt.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { RuntimeConfig } from '../node/node-config.ts'
import { interpreterOf } from '../pool/sandbox-recipe.ts'
import type { SandboxCapabilities, SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import type { AgentManifest } from './agent-manifest.ts'

export interface RunnableDeps {
  /** In the order of preference for `inherit`. */
  readonly runtimes: ReadonlyMap<Isolation, SandboxRuntime>
  readonly config: Pick<
    RuntimeConfig,
    'default_isolation' | 'isolations' | 'host_paths' | 'allow_weaker'
  >
}

/**
 * The isolation an execution will run under: what was asked for, else the manifest's, else the
 * node's default, else the first this node has that can do what the manifest wants.
 * @throws AegisError `unsupported` / `runtime.absent` · `denied` / `isolation.denied`
 */
export function chooseIsolation(
  { runtimes, config }: RunnableDeps,
  manifest: AgentManifest,
  asked?: Isolation,
): Isolation {
  const { isolation: own, sandbox } = manifest.spec.runtime
  refuseWeaker(own, asked, config)
  const wishes = [asked, own, config.default_isolation]
  const named = wishes.find((one) => one !== undefined && one !== 'inherit')
  // Only containers can have an application kernel, or a graphics card.
  const special = sandbox === 'gvisor' || manifest.spec.security.resources.gpu > 0
  const wish = named ?? (special ? 'docker' : undefined)
  const available = [...runtimes.keys()].filter((one) => config.isolations.includes(one))
  const chosen = available.find((one) => one === wish || wish === undefined)
  if (chosen !== undefined) return chosen
  const list = available.length === 0 ? 'none' : available.join(', ')
  throw new AegisError(
    'unsupported',
    'runtime.absent',
    `This node has no ${wish ?? 'sandbox'} runtime (it has: ${list}). Choose one it has with spec.runtime.isolation or --isolation, or see aegis doctor.`,
  )
}

/** How much stands between an agent and the kernel of the host. */
const strength: Readonly<Record<Isolation, number>> = { process: 1, docker: 1, firecracker: 2 }

/** A task may choose its sandbox, but not take a protection away that the manifest asks for. */
function refuseWeaker(
  own: 'inherit' | Isolation,
  asked: Isolation | undefined,
  { isolations, allow_weaker: allowed }: RunnableDeps['config'],
): void {
  if (asked === undefined) return
  if (!isolations.includes(asked)) {
    throw new AegisError(
      'denied',
      'isolation.denied',
      `The operator of this node does not permit isolation ${asked} (permitted: ${isolations.join(', ')}). See spec.runtime.isolations of the node config.`,
    )
  }
  if (own === 'inherit' || strength[asked] >= strength[own]) return
  if (allowed.includes('isolation')) return
  throw new AegisError(
    'denied',
    'isolation.weaker',
    `The manifest asks for isolation ${own}, and ${asked} is weaker. Run it without --isolation, or let the operator accept it by name: spec.runtime.allow_weaker: [isolation] in the node config.`,
  )
}

/**
 * Refuses, with the reason, what this node could not run or could not enforce.
 * @throws AegisError `unsupported` · `denied` · `invalid` · `unavailable` while a runtime cannot
 * be asked
 */
export async function checkRunnable(
  deps: RunnableDeps,
  manifest: AgentManifest,
  asked?: Isolation,
): Promise<SandboxRuntime> {
  const isolation = chooseIsolation(deps, manifest, asked)
  const runtime = deps.runtimes.get(isolation)
  if (runtime === undefined) throw new Error('An isolation was chosen that no runtime has')
  const capabilities = await runtime.capabilities(new AbortController().signal)
  checkTask(manifest)
  checkLanguage(manifest, isolation, capabilities)
  checkExtras(manifest, isolation, capabilities)
  checkLimits(capabilities, isolation, deps.config.allow_weaker)
  checkHostPaths(manifest, deps.config.host_paths, isolation, capabilities)
  contextFiles(manifest)
  return runtime
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

function checkLanguage(
  manifest: AgentManifest,
  isolation: Isolation,
  { languages }: SandboxCapabilities,
): void {
  const { language } = interpreterOf(manifest)
  const asked = manifest.spec.runtime.language
  if (language === 'none' && manifest.spec.task.command === undefined) {
    throw new AegisError(
      'unsupported',
      'runtime.language',
      `spec.runtime.language "${asked}" has no bootstrap script. Use python or javascript, or give spec.task.command.`,
    )
  }
  if (language === 'none' || languages.includes(language)) return
  const remedy =
    language === 'python'
      ? 'Install it (apt-get install python3) and start AEGIS again, or use language javascript.'
      : 'See aegis doctor.'
  throw new AegisError(
    'unsupported',
    'runtime.language',
    `The ${isolation} runtime of this node has no interpreter for "${asked}". ${remedy}`,
  )
}

function checkExtras(
  { spec }: AgentManifest,
  isolation: Isolation,
  { applicationKernels, gpus }: SandboxCapabilities,
): void {
  const { sandbox } = spec.runtime
  if (sandbox !== 'default' && !applicationKernels.includes(sandbox)) {
    throw new AegisError(
      'unsupported',
      'runtime.sandbox',
      `spec.runtime.sandbox: ${sandbox} needs isolation docker and an engine that knows the OCI runtime runsc; the ${isolation} runtime of this node has none. See aegis doctor.`,
    )
  }
  if (spec.security.resources.gpu > 0 && !gpus) {
    throw new AegisError(
      'unsupported',
      'runtime.gpu',
      `spec.security.resources.gpu: the ${isolation} runtime of this node has no graphics card to lend. Use isolation docker on a host with the NVIDIA container toolkit, or ask for none.`,
    )
  }
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

function checkHostPaths(
  manifest: AgentManifest,
  allowed: RuntimeConfig['host_paths'],
  isolation: Isolation,
  { lendsByName }: SandboxCapabilities,
): void {
  const { read, write } = manifest.spec.security.filesystem
  for (const [kind, paths, permitted] of [
    ['read', read, [...allowed.read, ...allowed.write]],
    ['write', write, allowed.write],
  ] as const) {
    for (const path of paths) {
      if (isInside(path, ['/workspace', '/tmp'])) continue
      if (!isInside(path, permitted)) throw notShared(kind, path)
      const above = allowed.write.find((root) => root !== path && isInside(path, [root]))
      if (lendsByName && above !== undefined) throw swappable(kind, path, above, isolation)
    }
  }
}

const notShared = (kind: 'read' | 'write', path: string): AegisError =>
  new AegisError(
    'denied',
    'filesystem.denied',
    `spec.security.filesystem.${kind}: the operator of this node does not share ${path}. To share it, add it to spec.runtime.host_paths.${kind} of the node config.`,
  )

const swappable = (
  kind: 'read' | 'write',
  path: string,
  above: string,
  isolation: Isolation,
): AegisError =>
  new AegisError(
    'denied',
    'filesystem.swappable',
    `spec.security.filesystem.${kind}: agents may write in ${above}, and one of them could put another path in the place of ${path} before isolation ${isolation} mounts it. Share ${path} by itself in spec.runtime.host_paths of the node config, without ${above} in host_paths.write, or use isolation process.`,
  )

const isInside = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => path === root || path.startsWith(root === '/' ? '/' : `${root}/`))
