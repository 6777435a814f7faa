import { Agent } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** An agent of Node's that has this one stream, which need not be a socket. */
export function agentOn(stream: Duplex): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 })
  // Node's own `reuseSocket` takes off the guard that destroys an idle socket at the first byte that
  // comes unasked, and then wants this.
  if (!(stream instanceof Socket)) Object.assign(stream, { ref: () => stream })
  agent.createConnection = () => stream
  agent.keepSocketAlive = () => true
  return agent
}
