import { realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { AegisError, type Logger, type Sandbox, type SandboxSpec } from '@aegis/core'
import { checkHostPaths } from '@aegis/sandbox'
import { readContainerUsage } from '../engine/container-usage.ts'
import type { ContainerWatch } from '../engine/container-watch.ts'
import type { EngineClient } from '../engine/engine-client.ts'
import type { RememberedFacts } from '../engine/remembered-facts.ts'
import { checkDockerSpec, type SpecRules } from './check-docker-spec.ts'
import { type ContainerUser, defaultUser, planContainer } from './container-plan.ts'
import { containerUser } from './container-user.ts'
import { makeDockerSandbox } from './docker-sandbox.ts'
import { type GuestTiming, greetGuest } from './greet-guest.ts'
import { type GuestVolume, openCarrier } from './guest-volume.ts'
import type { ImageReader } from './image-facts.ts'
import type { Owner } from './owner.ts'
import type { Reaper } from './reaper.ts'
import { startContainer } from './start-container.ts'
import type { Turns } from './turns.ts'
import {
  makeWorkspaceVolume,
  type WorkspaceVolume,
  workspaceDirectory,
} from './workspace-volume.ts'

/** What all boots on one engine share. */
export interface BootHost {
  readonly client: EngineClient
  readonly facts: RememberedFacts
  readonly rules: SpecRules
  readonly owner: Owner
  readonly images: ImageReader
  readonly guestVolume: GuestVolume
  readonly reaper: Reaper
  readonly watch: ContainerWatch
  readonly turns: Turns
  readonly protectedPaths: readonly string[]
  /** Whether a path means the same here and on the engine's host. */
  readonly hostPathsAreLocal: boolean
  readonly logger: Logger | undefined
  readonly guestTiming: GuestTiming
}

const never = new AbortController().signal

/** Longest wait for the engine's word on a container that was lost. */
const endTimeoutMs = 1000

/**
 * Boots one sandbox. Whatever a step took is given back in reverse when a later one fails, and else
 * when the sandbox is disposed, followed by `undo`, which holds what the caller took before.
 */
export async function bootContainer(
  host: BootHost,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Sandbox> {
  await using steps = new AsyncDisposableStack()
  const started = performance.now()
  const facts = await host.facts.recent(signal)
  const choice = checkDockerSpec(spec, facts, host.rules)
  const image = await host.images.read(imageOf(spec), facts.architecture, signal)
  const sameUsers = !facts.rootless && !facts.userNamespaces
  // A socket may be forwarded from elsewhere, or lent to a container that AEGIS runs in.
  const sameFiles = host.hostPathsAreLocal && facts.hostName === hostname()
  const user = await userOf(host, spec, { sameFiles, sameUsers })

  using turn = await host.turns.take(signal)
  const guestVolume = await host.guestVolume.ready(image.id, signal)
  const workspace = spec.filesystem.readOnly
    ? await openWorkspace(host, spec, image.id, user, steps)
    : undefined
  const prepared = performance.now()
  const name = host.owner.container(spec.id)
  const body = planContainer({
    spec,
    image,
    guestVolume,
    workspaceVolume: workspace && host.owner.workspace(spec.id),
    user,
    ociRuntime: choice.ociRuntime,
    gvisor: choice.gvisor,
    gpus: facts.gpus,
    labels: host.owner.labels('sandbox'),
    ownedTmpfs: !facts.podman,
  })
  const { attachment, phases } = await startContainer(
    host,
    { name, body, image: image.id },
    steps,
    signal,
  )
  const running = performance.now()
  const session = await greetGuest(attachment, spec, host.guestTiming, signal)
  await workspace?.ready
  turn[Symbol.dispose]()

  undo.use(steps.move())
  const resources = undo.move()
  return makeDockerSandbox({
    spec,
    session,
    env: image.env,
    workspace,
    gvisor: choice.gvisor,
    usage: choice.gvisor ? (asking) => readContainerUsage(host.client, name, asking) : undefined,
    bootPhases: {
      prepare: prepared - started,
      ...phases,
      hello: performance.now() - running,
    },
    logger: host.logger,
    containerEnd: () => host.watch.end(name, endTimeoutMs),
    release: () => resources.disposeAsync(),
  })
}

function imageOf({ interpreter }: SandboxSpec): string {
  if (interpreter.image !== undefined) return interpreter.image
  throw new AegisError(
    'unsupported',
    'sandbox.image',
    'A container boots from an image, and this sandbox names none. Set spec.runtime.image, or give the language an image in the node config (spec.runtime.images)',
  )
}

async function userOf(
  host: BootHost,
  { filesystem }: SandboxSpec,
  { sameFiles, sameUsers }: { readonly sameFiles: boolean; readonly sameUsers: boolean },
): Promise<ContainerUser> {
  if (filesystem.read.length + filesystem.write.length === 0) return defaultUser
  if (!sameFiles)
    throw new AegisError(
      'unsupported',
      'filesystem.remote',
      'The Docker engine does not see the files of this machine, so no paths of it can be lent to sandboxes. Remove spec.security.filesystem.read and write, or use an engine on this machine',
    )
  const real = host.protectedPaths.map((path) => realpath(path).catch(() => path))
  await checkHostPaths(filesystem, [...host.protectedPaths, ...(await Promise.all(real))])
  return containerUser(filesystem, sameUsers)
}

async function openWorkspace(
  host: BootHost,
  { id, limits }: SandboxSpec,
  image: string,
  user: ContainerUser,
  steps: AsyncDisposableStack,
): Promise<WorkspaceVolume> {
  const { client, owner, reaper } = host
  const volume = owner.workspace(id)
  const body = { Name: volume, Labels: owner.labels('workspace') }
  steps.defer(() => reaper.remove([{ kind: 'volume', name: volume }]))
  await client.run({ method: 'POST', path: '/volumes/create', body }, never)
  const carrier = { client, owner, reaper, volume, image, directory: workspaceDirectory }
  const opening = openCarrier(carrier, never)
  // Whoever boots hears of it when all else is there.
  opening.catch(() => {})
  steps.defer(async () => (await opening.catch(() => undefined))?.[Symbol.asyncDispose]())
  return makeWorkspaceVolume({ carrier: opening, limitBytes: limits.diskBytes, user })
}
