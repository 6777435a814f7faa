import type { AgentRequest } from '@aegis/core'

/**
 * One text for all requests that no policy can tell apart: of headers only those count that some
 * policy looks at. `undefined` for `headers`: all of them do.
 */
export function requestKey(
  request: AgentRequest,
  headers: ReadonlySet<string> | undefined,
): string {
  switch (request.action) {
    case 'network.connect': {
      const { host, port, address = '', http } = request
      const place = `c ${host} ${port} ${address}`
      if (http === undefined) return place
      const told = Object.entries(http.headers).filter(([name]) => headers?.has(name) ?? true)
      const words = told.length === 0 ? '' : JSON.stringify(told.toSorted(byName))
      return `${place} ${http.method} ${JSON.stringify(http.path)} ${words}`
    }
    case 'dns.resolve':
      return `d ${request.name}`
    case 'secret.use':
      return `s ${JSON.stringify([request.secret, request.host, request.port])}`
    case 'fs.read':
    case 'fs.write':
      return `${request.action} ${request.path}`
    case 'llm.generate':
      return `m ${request.model}`
    case 'tool.invoke':
      return `t ${request.tool}`
    case 'memory.read':
    case 'memory.write':
      return `${request.action} ${request.space}`
    case 'swarm.spawn':
    case 'swarm.send':
      return `${request.action} ${request.agent}`
    case 'swarm.lock':
      return `${request.action} ${request.lock}`
  }
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number =>
  a < b ? -1 : 1
