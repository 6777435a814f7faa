import type { AgentManifest } from '../agent/agent-manifest.ts'
import { sandboxNetwork } from '../egress/plan-egress.ts'
import type { PinnedImage } from '../image/image-store.ts'
import type { AgentId } from '../kernel/ids.ts'
import type { PolicyEngine } from '../policy/policy-engine.ts'
import type { SandboxAbout } from '../sandbox/live-sandboxes.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Interpreter, SandboxLimits, SandboxSpec } from '../sandbox/sandbox-spec.ts'

/** All that is known of an agent's sandbox before there is a task for it. */
export interface SandboxRecipe {
  readonly agentId: AgentId
  readonly agentRevision: number
  readonly manifest: AgentManifest
  /** What it boots from, where its runtime boots from images. */
  readonly image: PinnedImage | undefined
  readonly runtime: SandboxRuntime
  readonly limits: SandboxLimits
}

/** Sandboxes of equal keys can stand in for one another; engines differ in the ids of an image. */
export const recipeKey = ({ agentId, agentRevision, runtime, image }: SandboxRecipe): string =>
  [agentId, agentRevision, runtime.isolation, image?.digest ?? image?.id ?? ''].join(' ')

/** What a sandbox has by itself, and which names it may know. */
export interface OwnParts extends Pick<SandboxSpec, 'id' | 'onConnect' | 'onNotice'> {
  readonly mayKnow: (name: string) => boolean
}

/** What a runtime is asked to boot. */
export function specOf(
  { manifest, image, limits }: SandboxRecipe,
  { mayKnow, ...own }: OwnParts,
): SandboxSpec {
  const { sandbox } = manifest.spec.runtime
  const network = sandboxNetwork(manifest)
  return {
    ...own,
    interpreter: interpreterOf(manifest, image),
    limits,
    filesystem: filesystemOf(manifest),
    ...(network !== undefined && {
      network: { ...network, names: network.names.filter(mayKnow) },
    }),
    ...(sandbox === 'gvisor' && { applicationKernel: sandbox }),
  }
}

/** What a runtime is asked to boot, with the names that the policy lets it know. */
export function permittedSpecOf(
  policies: Pick<PolicyEngine, 'forAgent'>,
  recipe: SandboxRecipe,
  own: Pick<SandboxSpec, 'id' | 'onConnect' | 'onNotice'>,
): SandboxSpec {
  const { manifest } = recipe
  const policy = policies.forAgent({ name: manifest.metadata.name, manifest })
  const mayKnow = (name: string) => policy.decide({ action: 'dns.resolve', name }).allow
  return specOf(recipe, { ...own, mayKnow })
}

/** What is told of its sandboxes. */
export function aboutOf(recipe: SandboxRecipe): Omit<SandboxAbout, 'id'> {
  const { agentId, manifest, limits, runtime } = recipe
  return { isolation: runtime.isolation, agentId, agentName: manifest.metadata.name, limits }
}

/** Whether its sandbox shows paths of the host. */
export function lendsHostPaths(manifest: AgentManifest): boolean {
  const { read, write } = filesystemOf(manifest)
  return read.length + write.length > 0
}

/** Which interpreter a manifest's language means, in the image that was pinned for it. */
export function interpreterOf({ spec }: AgentManifest, image?: PinnedImage): Interpreter {
  const { language, version } = spec.runtime
  const known = languages.get(language.toLowerCase()) ?? 'none'
  return { language: known, version, ...(image && { image: image.id }) }
}

const languages: ReadonlyMap<string, Interpreter['language']> = new Map([
  ['python', 'python'],
  ['javascript', 'javascript'],
  ['typescript', 'javascript'],
  ['node', 'javascript'],
])

function filesystemOf({ spec }: AgentManifest): SandboxSpec['filesystem'] {
  const { read, write, read_only: readOnly } = spec.security.filesystem
  return { read: read.filter(onHost), write: write.filter(onHost), readOnly }
}

/** Paths below these are the sandbox's own, whatever the manifest says of them. */
const onHost = (path: string): boolean => !/^\/(workspace|tmp)(\/|$)/.test(path)
