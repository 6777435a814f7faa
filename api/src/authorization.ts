import type { ApiAction } from '@aegis/core'

/**
 * What it takes to use a route: nothing (`open`), any token (`known`), or a permission. A route that
 * is missing here is refused to everybody; a test compares the table with the router.
 */
export type Access = 'open' | 'known' | Permission

export interface Permission {
  readonly action: ApiAction
  /** Where the call says which agent it concerns: */
  readonly agent?: AgentPlace
  /** The parameter that names what it concerns, where that is no agent. */
  readonly resource?: string
}

/**
 * `ref`, `name`: a parameter with its name or id; `id`: with that of an execution; `agent_id`: in the
 * query; `manifest`: in the body, so that the handler asks once it has read it.
 */
export type AgentPlace = 'ref' | 'name' | 'id' | 'agent_id' | 'manifest'

/** Every route of the API. Those below `/api` stand below `/v1` too. */
export const authorization: Readonly<Record<string, Access>> = {
  'GET /health': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /metrics': { action: 'api.node.read' },
  'GET /openapi.json': { action: 'api.node.read' },
  'GET /api/whoami': 'known',
  'GET /api/node': { action: 'api.node.read' },
  'GET /api/node/doctor': { action: 'api.node.read' },
  'POST /api/agents': { action: 'api.agent.write', agent: 'manifest' },
  'GET /api/agents': { action: 'api.agent.read' },
  'GET /api/agents/lookup/:name': { action: 'api.agent.read', agent: 'name' },
  'GET /api/agents/:ref': { action: 'api.agent.read', agent: 'ref' },
  'GET /api/agents/:ref/summary': { action: 'api.agent.read', agent: 'ref' },
  'GET /api/agents/:ref/events': { action: 'api.task.read', agent: 'ref' },
  'POST /api/agents/:ref/pause': { action: 'api.agent.write', agent: 'ref' },
  'POST /api/agents/:ref/resume': { action: 'api.agent.write', agent: 'ref' },
  'POST /api/agents/:ref/execute': { action: 'api.task.execute', agent: 'ref' },
  'DELETE /api/agents/:ref': { action: 'api.agent.write', agent: 'ref' },
  'GET /api/audit/entries': { action: 'api.audit.read' },
  'GET /api/audit/entries/:index': { action: 'api.audit.read', resource: 'index' },
  'GET /api/audit/events': { action: 'api.audit.read' },
  'GET /api/audit/key': { action: 'api.audit.read' },
  'GET /api/audit/checkpoint': { action: 'api.audit.read' },
  'GET /api/audit/tile/*': { action: 'api.audit.read' },
  'GET /api/audit/proof/:index': { action: 'api.audit.read', resource: 'index' },
  'POST /api/audit/verify': { action: 'api.audit.read' },
  'GET /api/images': { action: 'api.image.read' },
  'POST /api/images/pull': { action: 'api.image.write' },
  'POST /api/images/build': { action: 'api.image.write' },
  'POST /api/images/prepare': { action: 'api.image.write' },
  'POST /api/images/prune': { action: 'api.image.write' },
  'GET /api/sandboxes': { action: 'api.sandbox.read' },
  'GET /api/sandboxes/events': { action: 'api.sandbox.read' },
  'GET /api/secrets': { action: 'api.secret.read' },
  'PUT /api/secrets/:name': { action: 'api.secret.write', resource: 'name' },
  'DELETE /api/secrets/:name': { action: 'api.secret.write', resource: 'name' },
  'POST /api/secrets/rotate': { action: 'api.secret.write' },
  'GET /api/executions': { action: 'api.task.read', agent: 'agent_id' },
  'GET /api/executions/:id': { action: 'api.task.read', agent: 'id' },
  'GET /api/executions/:id/events': { action: 'api.task.read', agent: 'id' },
  'POST /api/executions/:id/cancel': { action: 'api.task.cancel', agent: 'id' },
  'DELETE /api/executions/:id': { action: 'api.task.remove', agent: 'id' },
  'GET /api/policies': { action: 'api.policy.read' },
  'POST /api/policies/explain': { action: 'api.policy.read' },
  'POST /api/policies/check': { action: 'api.policy.read' },
  'POST /api/tokens': { action: 'api.token.write' },
  'GET /api/tokens': { action: 'api.token.read' },
  'DELETE /api/tokens/:token': { action: 'api.token.write', resource: 'token' },
}

/** The entry of a route as the router knows it; undefined where there is none. */
export function accessOf(method: string, url: string): Access | undefined {
  const path = url.replace(/^\/v1\//, '/api/')
  const key = `${method === 'HEAD' ? 'GET' : method} ${path}`
  return Object.hasOwn(authorization, key) ? authorization[key] : undefined
}
