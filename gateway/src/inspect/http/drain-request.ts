import type { IncomingMessage } from 'node:http'
import { inspectLimits } from '../inspect-limits.ts'

/**
 * Reads what is left of a request that has been answered, so that its client gets to read the answer,
 * and cuts a client off that does not come to an end.
 */
export async function drainRequest(incoming: IncomingMessage): Promise<void> {
  if (incoming.complete || incoming.socket.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(() => incoming.socket.destroy(), inspectLimits.lingerMs)
  incoming.once('end', resolve).once('close', resolve).once('error', resolve)
  incoming.unpipe()
  incoming.resume()
  await promise
  clearTimeout(timer)
}
