import { isIP } from 'node:net'
import { AegisError } from '@aegis/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refusal } from './problem.ts'

export interface AllowedHosts {
  readonly bindAddress: string
  /** Names besides the loopback ones under which users reach this node. */
  readonly allowedHosts: readonly string[]
}

/**
 * Keeps web pages away from the node. A page cannot make a browser send a foreign `Host`, so a
 * name that somebody points at this address (DNS rebinding) is refused; and a browser tells the
 * `Origin` of a page, so that of another site is refused.
 */
export function guardOrigin(app: FastifyInstance, options: AllowedHosts): void {
  const allowed = new Set(
    [
      'localhost',
      '127.0.0.1',
      '[::1]',
      bracketed(options.bindAddress),
      ...options.allowedHosts,
    ].map((name) => name.toLowerCase()),
  )
  // Whoever binds to all addresses is reached by any of them. An address cannot be rebound.
  const anyAddress = options.bindAddress === '0.0.0.0' || options.bindAddress === '::'

  app.addHook('onRequest', async (request) => {
    const name = hostName(request)
    if (!allowed.has(name) && !(anyAddress && isAddress(name))) {
      throw refusal(
        'request.host',
        'The node does not answer to this Host. Use localhost, its address, or a name that is allowed in its configuration.',
      )
    }
    const { origin } = request.headers
    if (origin !== undefined && hostOfOrigin(origin) !== request.headers.host?.toLowerCase()) {
      throw new AegisError(
        'denied',
        'request.origin',
        'Web pages of other sites may not use this node.',
      )
    }
  })
}

/** The name or bracketed address of the Host header, without its port, in lower case. */
const hostName = (request: FastifyRequest): string =>
  (request.headers.host ?? '').toLowerCase().replace(/:\d{1,5}$/, '')

const hostOfOrigin = (origin: string): string | undefined => URL.parse(origin)?.host

const bracketed = (address: string): string => (isIP(address) === 6 ? `[${address}]` : address)

const isAddress = (name: string): boolean => isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
