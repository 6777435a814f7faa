import { AegisError, isUuid } from '@aegis/core'
import { agentLookup } from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'

/** The path of an agent. What cannot be a name or an id is absent without asking. */
export async function agentPath(transport: HttpTransport, ref: string): Promise<string> {
  const checked = agentRef(ref)
  if (checked !== 'lookup') return `/agents/${checked}`
  // This name alone collides with a route, so it goes by its id.
  const path = '/agents/lookup/lookup'
  const { id } = await transport.call({ method: 'GET', path }, agentLookup)
  return `/agents/${id}`
}

/** @throws AegisError `not-found` / `agent.absent` when `ref` can be neither name nor id */
export function agentRef(ref: string): string {
  if (/^[a-z0-9-]{1,128}$/.test(ref)) return ref
  throw new AegisError(
    'not-found',
    'agent.absent',
    `There is no agent "${ref}": names and ids consist of a-z, 0-9 and "-". See what is deployed with aegis agent list`,
  )
}

/** @throws AegisError `not-found` / `execution.absent` when `id` cannot be one */
export function executionPath(id: string): string {
  if (isUuid(id)) return `/executions/${id}`
  throw new AegisError(
    'not-found',
    'execution.absent',
    `There is no execution "${id}": ids are UUIDs in lower case. See aegis task list`,
  )
}

/** A name that no secret has is told by the node, which knows what names are. */
export const secretPath = (name: string): string => `/secrets/${encodeURIComponent(name)}`
/** @throws AegisError `not-found` / `token.absent` when `ref` can be neither name nor id */
export function tokenPath(ref: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,79}$/.test(ref)) return `/tokens/${ref}`
  throw new AegisError(
    'not-found',
    'token.absent',
    `There is no token "${ref}": names consist of a-z, 0-9, ".", "_" and "-". See aegis token list.`,
  )
}
