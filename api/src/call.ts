import type { Actor, ApiAction, ControlPlane } from '@aegis/core'
import type { FastifyRequest } from 'fastify'

/** What is known of a request besides what it asks for: for its handler, its log line and the audit. */
export interface Call {
  /** Who was let in; undefined on open routes. */
  caller?: Caller
  /** Who asks, let in or not. */
  actor?: Actor
  action?: ApiAction
  /** What it concerns: the name of an agent, of a token, or undefined for the whole node. */
  resource?: string | undefined
  agentId?: string | undefined
  /** The execution that it made or concerned. */
  executionId?: string
  /** Why it was turned away; undefined once it was let in. */
  refused?: string
  /** The token that was shown and is not let in. */
  claimed?: {
    readonly tokenId?: string | undefined
    readonly name?: string | undefined
    readonly because?: string | undefined
  }
  isRecorded?: boolean
}

export interface Caller {
  readonly actor: Actor
  /** The node as the caller sees it. */
  readonly plane: ControlPlane
  /**
   * For routes that find out late which agent they concern.
   * @throws AegisError `denied`
   */
  readonly requireAgent: (name: string) => void
  /** Whether the token would still be let in; for what goes on for long. */
  readonly isStillKnown: () => Promise<boolean>
}

const calls = new WeakMap<FastifyRequest, Call>()

export function callOf(request: FastifyRequest): Call {
  const known = calls.get(request)
  if (known !== undefined) return known
  const call: Call = {}
  calls.set(request, call)
  return call
}

/** Who asked, on routes that are not open. */
export function callerOf(request: FastifyRequest): Caller {
  const { caller } = callOf(request)
  if (caller !== undefined) return caller
  throw new Error('A route that answers to nobody')
}

/** The node as the caller of a request sees it. */
export const planeOf = (request: FastifyRequest): ControlPlane => callerOf(request).plane
