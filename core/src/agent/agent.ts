import type { PinnedImage } from '../image/image-store.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Instant } from '../kernel/clock.ts'
import type { AgentEvent } from './agent-event.ts'
import type { AgentManifest } from './agent-manifest.ts'
import { sameManifest } from './same-manifest.ts'

export type Agent =
  | { readonly status: 'absent'; readonly revision: number }
  | {
      readonly status: 'active' | 'paused'
      readonly manifest: AgentManifest
      readonly revision: number
      readonly image?: PinnedImage | undefined
    }

export type AgentCommand =
  | {
      readonly type: 'deploy'
      readonly manifest: AgentManifest
      /** Deploy a new revision where the name is taken. */
      readonly replace: boolean
      /** What it is to run in, for runtimes that boot from images. */
      readonly image?: PinnedImage | undefined
      readonly at: Instant
    }
  | { readonly type: 'pause'; readonly reason?: string | undefined; readonly at: Instant }
  | { readonly type: 'resume'; readonly at: Instant }
  | { readonly type: 'remove'; readonly at: Instant }

/** An agent under its name: deployed, deployed again, paused, resumed, removed. */
export const agent = {
  initial: { status: 'absent', revision: 0 } as Agent,
  decide,
  evolve,
}

function decide(state: Agent, command: AgentCommand): readonly AgentEvent[] {
  if (command.type === 'deploy') return decideDeploy(state, command)
  if (state.status === 'absent') {
    if (command.type === 'remove') return [] // A retry, and quietly fine.
    throw new AegisError('not-found', 'agent.absent', 'No such agent. See `aegis agent list`.')
  }
  switch (command.type) {
    case 'pause':
      if (state.status === 'paused') return []
      return [{ type: 'agent.paused', reason: command.reason, at: command.at }]
    case 'resume':
      if (state.status === 'active') return []
      return [{ type: 'agent.resumed', at: command.at }]
    case 'remove':
      return [{ type: 'agent.removed', at: command.at }]
  }
}

function decideDeploy(
  state: Agent,
  { manifest, replace, image, at }: Extract<AgentCommand, { type: 'deploy' }>,
): readonly AgentEvent[] {
  const revision = state.revision + 1
  const deployed = { manifest, revision, ...(image && { image }), at }
  if (state.status === 'absent') return [{ type: 'agent.deployed', ...deployed }]
  const same = sameManifest(state.manifest, manifest)
  if (same && state.image?.id === image?.id) return []
  if (!same && !replace) {
    throw agentExists(manifest.metadata.name, state.revision)
  }
  return [{ type: 'agent.updated', ...deployed }]
}

export const agentExists = (name: string, revision: number): AegisError =>
  new AegisError(
    'conflict',
    'agent.exists',
    `An agent named "${name}" is deployed already, with a different manifest. Deploy it again with --replace, or remove it first: aegis agent remove ${name}`,
    { details: { name, revision } },
  )

function evolve(state: Agent, event: AgentEvent): Agent {
  switch (event.type) {
    case 'agent.deployed':
      return { status: 'active', ...revisionOf(event) }
    case 'agent.updated':
      return { status: alive(state).status, ...revisionOf(event) }
    case 'agent.paused':
      return { ...alive(state), status: 'paused' }
    case 'agent.resumed':
      return { ...alive(state), status: 'active' }
    case 'agent.removed':
      return { status: 'absent', revision: state.revision }
  }
}

function revisionOf({
  manifest,
  revision,
  image,
}: Extract<AgentEvent, { readonly manifest: AgentManifest }>) {
  return { manifest, revision, ...(image && { image }) }
}

function alive(state: Agent): Exclude<Agent, { status: 'absent' }> {
  if (state.status === 'absent') throw new Error('An event of an agent that is not there')
  return state
}
