import { parseNetworkEntry } from '../agent/network-entry.ts'
import { type Finding, quote } from '../kernel/input-error.ts'
import { type AgentAction, agentActions } from './policy-action.ts'
import type { AgentRequest } from './policy-request.ts'

/** A question to the policies, as people write it. */
export interface WrittenRequest {
  readonly action: string
  /** `db.example.com:5432`, a path, the name of a model or a tool, `github@api.github.com`. */
  readonly resource: string
  /** Of a request inside a connection. */
  readonly method?: string | undefined
  readonly path?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Returns what is wrong instead when it cannot be read. */
export function parseAgentRequest(written: WrittenRequest): AgentRequest | Finding {
  const { action, resource, method, path, headers } = written
  if (!isAgentAction(action)) {
    return {
      message: `${quote(action)} is nothing that an agent does.`,
      remedy: `Use one of ${agentActions.join(', ')}.`,
    }
  }
  if (action !== 'network.connect' && (method ?? path ?? headers) !== undefined) {
    return {
      message: `${action} has no method, path or headers.`,
      remedy: 'They are of network.connect.',
    }
  }
  switch (action) {
    case 'network.connect': {
      const place = parsePlace(resource)
      if ('message' in place) return place
      if ((method ?? path ?? headers) === undefined) return { action, ...place }
      if (path !== undefined && !path.startsWith('/')) {
        return { message: `${quote(path)} is not a path.`, remedy: 'Begin it with a slash.' }
      }
      const http = {
        method: (method ?? 'GET').toUpperCase(),
        path: path ?? '/',
        headers: lowerNames(headers ?? {}),
      }
      return { action, ...place, http }
    }
    case 'secret.use': {
      const [secret = '', place] = resource.split(/@(.*)/s)
      const parsed = place === undefined ? undefined : parsePlace(place)
      if (secret === '' || parsed === undefined) {
        return {
          message: `${quote(resource)} is not a secret and a host.`,
          remedy: 'Write it like github@api.github.com:443.',
        }
      }
      return 'message' in parsed ? parsed : { action, secret, ...parsed }
    }
    case 'dns.resolve': {
      const place = parsePlace(resource)
      return 'message' in place ? place : { action, name: place.host }
    }
    case 'fs.read':
    case 'fs.write':
      return { action, path: resource }
    case 'llm.generate':
      return { action, model: resource }
    case 'tool.invoke':
      return { action, tool: resource }
    case 'memory.read':
    case 'memory.write':
      return { action, space: resource }
    case 'swarm.spawn':
    case 'swarm.send':
      return { action, agent: resource }
    case 'swarm.lock':
      return { action, lock: resource }
  }
}

/** A host, and 443 where it names no port. */
function parsePlace(text: string): { readonly host: string; readonly port: number } | Finding {
  const entry = parseNetworkEntry(text.toLowerCase())
  if ('message' in entry) return entry
  const { port = 443 } = entry
  if (entry.kind === 'host') return { host: entry.host, port }
  if (entry.kind === 'cidr' && !text.includes('/')) return { host: entry.address, port }
  return {
    message: `${quote(text)} is more than one host.`,
    remedy: 'Name one, like db.example.com:5432.',
  }
}

const lowerNames = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const isAgentAction = (action: string): action is AgentAction =>
  agentActions.some((known) => known === action)
