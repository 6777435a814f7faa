import {
  type Actor,
  AegisError,
  type AgentNames,
  type Authenticate,
  type ControlPlane,
  type Logger,
  narrowControlPlane,
  type PolicyEngine,
  requireAgent,
  requirePermission,
  type SandboxFigures,
} from '@aegis/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { accessOf, type Permission } from './authorization.ts'
import { bearerToken, refuseToken } from './bearer-token.ts'
import { callOf } from './call.ts'
import type { Throttle } from './throttle.ts'

/** The node behind the API. */
export interface ServedNode {
  /** As one caller sees it. */
  as(actor: Actor): ControlPlane
  readonly agentNames: AgentNames
  readonly sandboxFigures: SandboxFigures
}

export interface AuthorizeOptions {
  readonly node: Pick<ServedNode, 'as' | 'agentNames'>
  readonly authenticate: Authenticate
  readonly policies: Pick<PolicyEngine, 'decideApi'>
  readonly throttle: Throttle
  readonly logger: Logger
}

/**
 * Lets a request in: its token must be somebody's, whose role, scope and policies permit what the
 * route does. Nobody without a token learns which routes there are. It comes before anything of the
 * request but its head is read.
 */
export function authorize(app: FastifyInstance, options: AuthorizeOptions): void {
  const { node, policies, throttle } = options

  app.addHook('onRequest', async (request) => {
    const { url } = request.routeOptions
    const access = url === undefined ? 'known' : accessOf(request.method, url)
    if (access === 'open') return
    const call = callOf(request)
    const actor = await authenticated(request, options)
    throttle.countRequest(actor)
    const permission = typeof access === 'object' ? access : undefined
    if (permission !== undefined) {
      call.action = permission.action
      requirePermission(actor, permission.action)
      await requireSubject(request, actor, permission, options)
    }
    if (access === undefined) throw unlisted()
    const plane = node.as(actor)
    const { agents } = actor.scope ?? {}
    call.caller = {
      actor,
      isStillKnown: () => isKnown(request, options),
      plane: agents === undefined ? plane : narrowControlPlane(plane, agents),
      requireAgent(name) {
        call.resource = name
        if (permission === undefined) return
        requireAgent(actor, permission.action, name)
        requirePolicy(policies, actor, { ...permission, subject: name })
      },
    }
  })
}

async function authenticated(
  request: FastifyRequest,
  { authenticate, throttle, logger }: AuthorizeOptions,
): Promise<Actor> {
  const call = callOf(request)
  const found = await authenticate(bearerToken(request))
  if ('actor' in found) {
    call.actor = found.actor
    return found.actor
  }
  const { refused, name, tokenId, because } = found
  call.refused = refused
  call.claimed = { name, tokenId, because }
  if (refused === 'no-role') {
    logger.warn({ refused, name, because, requestId: request.id }, 'a caller without a role')
  } else throttle.countFailure(request.ip)
  throw refuseToken(found)
}

/** Who cannot be asked counts as a no: the reader may come back, and gets an answer then. */
async function isKnown(
  request: FastifyRequest,
  { authenticate }: AuthorizeOptions,
): Promise<boolean> {
  try {
    return 'actor' in (await authenticate(bearerToken(request)))
  } catch {
    return false
  }
}

/** Finds out what the call concerns, and whether the caller may do it to that. */
async function requireSubject(
  request: FastifyRequest,
  actor: Actor,
  permission: Permission,
  { node, policies }: AuthorizeOptions,
): Promise<void> {
  const { action, agent: place, resource } = permission
  // The handler knows what it concerns, and asks.
  if (place === 'manifest') return
  const ref = textAt(request, place ?? resource)
  let subject = ref
  if (place !== undefined && ref !== undefined) {
    const { agentNames } = node
    const agent = await (place === 'id' ? agentNames.ofExecution(ref) : agentNames.ofRef(ref))
    requireAgent(actor, action, agent?.name)
    callOf(request).agentId = agent?.id
    subject = agent?.name ?? (place === 'id' ? undefined : ref)
  }
  callOf(request).resource = subject
  requirePolicy(policies, actor, { action, subject })
}

/** @throws AegisError `denied` / `policy.denied` */
function requirePolicy(
  policies: Pick<PolicyEngine, 'decideApi'>,
  actor: Actor,
  { action, subject }: Pick<Permission, 'action'> & { readonly subject: string | undefined },
): void {
  const decision = policies.decideApi(actor, {
    action,
    ...(subject !== undefined && { resource: subject }),
  })
  if (decision.allow) return
  throw new AegisError('denied', 'policy.denied', decision.because, {
    details: { action, actor: actor.name, role: actor.role, policies: decision.policies },
  })
}

/** The parameter, or the value of the query, of that name. */
function textAt(request: FastifyRequest, name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  const found: unknown = { ...Object(request.query), ...Object(request.params) }[name]
  return typeof found === 'string' ? found : undefined
}

/** Not even an admin: what nobody thought about is permitted to nobody. */
const unlisted = (): AegisError =>
  new AegisError(
    'denied',
    'access.unlisted',
    'This route stands in no authorization table. That is a bug in AEGIS: please report it.',
  )
