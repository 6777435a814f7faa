import { setTimeout as delay } from 'node:timers/promises'
import { AegisError, type Logger, type Sandbox, type SandboxSpec } from '@aegis/core'
import {
  abortable,
  checkHostPaths,
  connectGuest,
  type GuestOptions,
  type GuestSession,
} from '@aegis/sandbox'
import type { Attachment } from '../engine/attachment.ts'
import { readContainerUsage } from '../engine/container-usage.ts'
import type { ContainerWatch } from '../engine/container-watch.ts'
import type { EngineClient } from '../engine/engine-client.ts'
import { disarm, refusalOf } from '../engine/engine-failure.ts'
import type { RememberedFacts } from '../engine/remembered-facts.ts'
import { checkDockerSpec, type SpecRules } from './check-docker-spec.ts'
import { type ContainerUser, defaultUser, planContainer } from './container-plan.ts'
import { containerUser } from './container-user.ts'
import { makeDockerSandbox } from './docker-sandbox.ts'
import { type GuestVolume, guestProgram, openCarrier } from './guest-volume.ts'
import { absent, type ImageReader } from './image-facts.ts'
import type { Owner } from './owner.ts'
import type { Leftover, Reaper } from './reaper.ts'
import type { Turns } from './turns.ts'
import { makeWorkspaceVolume, type WorkspaceVolume } from './workspace-volume.ts'

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
  readonly guestTiming: Pick<GuestOptions, 'helloTimeoutMs' | 'pingIntervalMs' | 'pingTimeoutMs'>
}

const never = new AbortController().signal

/** Longest wait for the engine's word on a container that was lost. */
const endTimeoutMs = 1000

/**
 * Boots one sandbox. Whatever a step took is given back in reverse when a later one fails, and else
 * when the sandbox is disposed; `undo` may hold what the caller took before.
 */
export async function bootContainer(
  host: BootHost,
  spec: SandboxSpec,
  undo: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Sandbox> {
  await using steps = undo.move()
  const started = performance.now()
  const facts = await host.facts.recent(signal)
  const choice = checkDockerSpec(spec, facts, host.rules)
  const image = await host.images.read(imageOf(spec), signal)
  const sameUsers = !facts.rootless && !facts.userNamespaces
  const user = await userOf(host, spec, sameUsers)

  using turn = await host.turns.take(signal)
  const guestVolume = await host.guestVolume.ready(image.id, signal)
  const workspace = spec.filesystem.readOnly
    ? await openWorkspace(host, spec, image.id, user, steps, signal)
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
  const { attachment, phases } = await startContainer(host, name, body, image.id, steps, signal)
  const running = performance.now()
  const session = await shakeHands(host, spec, attachment, signal)
  turn[Symbol.dispose]()

  const resources = steps.move()
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
  sameUsers: boolean,
): Promise<ContainerUser> {
  if (filesystem.read.length + filesystem.write.length === 0) return defaultUser
  if (!host.hostPathsAreLocal)
    throw new AegisError(
      'unsupported',
      'filesystem.remote',
      'The Docker engine does not see the files of this machine, so no paths of it can be lent to sandboxes. Remove spec.security.filesystem.read and write, or use an engine on this machine',
    )
  await checkHostPaths(filesystem, host.protectedPaths)
  return containerUser(filesystem, sameUsers)
}

async function openWorkspace(
  host: BootHost,
  { id, limits }: SandboxSpec,
  image: string,
  user: ContainerUser,
  steps: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<WorkspaceVolume> {
  const { client, owner, reaper } = host
  const volume = owner.workspace(id)
  const body = { Name: volume, Labels: owner.labels('workspace') }
  steps.defer(() => reaper.remove([{ kind: 'volume', name: volume }]))
  // Made to the end also when it is no longer wanted, so that its removal finds it.
  const make = async () => {
    await client.run({ method: 'POST', path: '/volumes/create', body }, never)
    return openCarrier({ client, owner, reaper, volume, image, directory: '/workspace' }, never)
  }
  const making = make()
  steps.defer(async () => (await making.catch(() => undefined))?.[Symbol.asyncDispose]())
  const carrier = await abortable(making, signal)
  return makeWorkspaceVolume({ carrier, limitBytes: limits.diskBytes, user })
}

interface Started {
  readonly attachment: Attachment
  readonly phases: Readonly<Record<'create' | 'attach' | 'start', number>>
}

async function startContainer(
  host: BootHost,
  name: string,
  body: object,
  image: string,
  steps: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Started> {
  const { client, reaper, watch } = host
  const leftover: Leftover = { kind: 'container', name }
  // The engine finishes what it has begun, so it is not removed before.
  let begun: Promise<unknown> = Promise.resolve()
  steps.defer(async () => {
    watch.forget(name)
    await begun.catch(() => {})
    await reaper.remove([leftover])
  })
  const ask = (path: string, query: Readonly<Record<string, string>>, sent?: object) => {
    const request = { method: 'POST', path, query, ...(sent && { body: sent }) } as const
    const asking = client.run(request, never)
    begun = asking
    return abortable(asking, signal)
  }

  watch.watch(name)
  const prepared = performance.now()
  await ask('/containers/create', { name }, body).catch((error: unknown) => {
    throw refusalOf(error)?.status === 404 ? absent(image, error) : error
  })
  const created = performance.now()
  const attachment = await client.attach(name, signal)
  steps.defer(() => void attachment.stdio.destroy())
  const attached = performance.now()
  await ask(`/containers/${name}/start`, {}).catch((error: unknown) => {
    // Somebody removed the volume, and the engine made an empty one of its name.
    if (refusalOf(error)?.words.includes(guestProgram)) host.guestVolume.forget()
    throw notStarted(error)
  })
  const phases = {
    create: created - prepared,
    attach: attached - created,
    start: performance.now() - attached,
  }
  return { attachment, phases }
}

const notStarted = (error: unknown): unknown => {
  const words = refusalOf(error)?.words
  if (words === undefined) return error
  const message = `The Docker engine could not start the sandbox: ${words}. \`aegis doctor\` says what its host lacks`
  return new AegisError('unavailable', 'sandbox.boot', message, { cause: error })
}

const complaintGraceMs = 200

async function shakeHands(
  host: BootHost,
  spec: SandboxSpec,
  attachment: Attachment,
  signal: AbortSignal,
): Promise<GuestSession> {
  const options: GuestOptions = {
    ...host.guestTiming,
    onConnect: spec.onConnect,
    ...(spec.onNotice && { onNotice: spec.onNotice }),
    outputLimitBytes: spec.limits.outputBytes,
    names: ownNames,
  }
  try {
    const session = await connectGuest(attachment.stdio, options, signal)
    await mustBeAlone(session, signal)
    return session
  } catch (cause) {
    signal.throwIfAborted()
    // Its own words, when it left some, are better than "no hello".
    await Promise.race([attachment.closed, delay(complaintGraceMs)])
    const complaint = attachment.complaint()
    if (complaint === '') throw cause
    throw new AegisError(
      'unavailable',
      'sandbox.boot',
      `Sandbox ${spec.id} did not come up: ${complaint}. \`aegis doctor\` says what the engine's host lacks`,
      { cause },
    )
  }
}

/** A container without a network has an empty /etc/hosts, so its name server tells these. */
const ownNames = ['localhost', 'sandbox'].map((name) => ({ name, address: '127.0.0.1' }))

/** Rests on evidence, not on what the engine was asked for: there is no way out but the wire. */
async function mustBeAlone(session: GuestSession, signal: AbortSignal): Promise<void> {
  const table = Buffer.from(await session.readFile('/proc/net/dev', 64 << 10, signal)).toString()
  const names = table.split('\n').flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
  if (names.every((name) => name === 'lo' || unroutable.test(name))) return
  session.close()
  throw new AegisError(
    'unavailable',
    'sandbox.network',
    `The Docker engine gave the sandbox a network (${disarm(names.join(', '))}) though it was asked for none, so it was not used. Update the engine`,
  )
}

/** Tunnels that the kernel puts into every network namespace once their module is loaded. */
const unroutable = /^(tunl|gre|gretap|erspan|sit|ip6tnl|ip6gre|ip_vti|ip6_vti)0$/
