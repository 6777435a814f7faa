import type { AgentRequest } from '@aegis/core'

/**
 * One text for all requests that no policy can tell apart: of headers only those count that some
 * policy looks at. `undefined` for `headers`: all of them do.
 */
export function requestKey(
  request: AgentRequest,
  headers: ReadonlySet<string> | undefined,
): string {
  if (request.action !== 'network.connect' || request.http === undefined) {
    return JSON.stringify(request)
  }
  const { host, port, address, http } = request
  const told = Object.entries(http.headers).filter(([name]) => headers?.has(name) ?? true)
  return JSON.stringify([host, port, address, http.method, http.path, told.toSorted(byName)])
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]): number =>
  a < b ? -1 : 1
