import type { Actor } from '../access/actor.ts'
import type { AgentManifest } from '../agent/agent-manifest.ts'
import type { PolicyAction } from './policy-action.ts'
import type { AgentRequest, ApiRequest, DeployRequest, TaskRequest } from './policy-request.ts'
import type { PolicyFile, PolicyReview, PolicyState } from './policy-review.ts'

/** The answer to one question, with the policies that made it. */
export interface PolicyDecision {
  readonly allow: boolean
  /**
   * Ids of the deciding policies: those that permit, or those that forbid. Empty for a refusal that
   * no policy spoke against: what nothing permits is denied.
   */
  readonly policies: readonly string[]
  /** One sentence for whoever was refused, with what to do; for a permission, why. */
  readonly because: string
}

/** An agent as policies see it. */
export interface PolicyAgent {
  readonly name: string
  readonly manifest: AgentManifest
}

/**
 * Decides, by default against. It never throws and never waits: an engine that fails denies and
 * says so. Policies of the operator may be reloaded at any time; the next decision knows them.
 */
export interface PolicyEngine {
  /** The policies that apply to this agent: compiled from its manifest, and the operator's. */
  forAgent(agent: PolicyAgent): AgentPolicy
  /** Whether the caller may; the roles and scopes of a token are asked besides. */
  decideApi(actor: Actor, request: ApiRequest): PolicyDecision
  decideTask(actor: Actor, agent: PolicyAgent, task: TaskRequest): PolicyDecision
  /** Whether all that the manifest asks for stays inside what the operator permits at most. */
  decideDeploy(actor: Actor, agent: PolicyAgent, deploy: DeployRequest): PolicyDecision
  /** All policies that are in force, those compiled from manifests of `agents` included. */
  list(agents: readonly PolicyAgent[]): readonly PolicySummary[]
  /** Where the operator's policies come from, and what is wrong with them now. */
  readonly state: PolicyState
  /**
   * Reads policies as the engine would, without putting them in force, and tells which of `agents`
   * would ask for more than they leave, deployed again by the actor.
   */
  review(actor: Actor, files: readonly PolicyFile[], agents: readonly ReviewedAgent[]): PolicyReview
}

export interface ReviewedAgent extends PolicyAgent {
  readonly deploy: DeployRequest
}

/** The policies of one agent. Repeated questions are answered from a cache that a change empties. */
export interface AgentPolicy {
  decide(request: AgentRequest): PolicyDecision
}

export interface PolicySummary {
  readonly id: string
  /** The agent whose manifest it was compiled from. */
  readonly agent?: string | undefined
  readonly effect: 'permit' | 'forbid'
  /** A file of the operator with its line, or the field of a manifest. */
  readonly source: string
  readonly actions: readonly PolicyAction[]
  /** As Cedar. */
  readonly text: string
}
