import { isIPv6 } from 'node:net'
import { type Actor, AegisError, type Clock, localActor, makeRateLimit } from '@aegis/core'

export interface ThrottleOptions {
  readonly requestsPerMinute: number
  readonly failuresPerMinute: number
  readonly clock: Clock
}

/** Counts what callers do. @throws AegisError `exhausted` / `access.rate` when it is too much */
export interface Throttle {
  countRequest(actor: Actor): void
  /** Of a wrong token. A right one is never refused for the failures of others at its address. */
  countFailure(address: string): void
}

const maxCallers = 10_000

/** What the owner of the home may do at least, so that no setting takes the command line away. */
const leastOfOwner = 6000

export function makeThrottle(options: ThrottleOptions): Throttle {
  const { requestsPerMinute, failuresPerMinute, clock } = options
  const limit = (perMinute: number) => makeRateLimit({ perMinute, maxKeys: maxCallers, clock })
  const requests = limit(requestsPerMinute)
  const failures = limit(failuresPerMinute)
  const owner = limit(Math.max(requestsPerMinute, leastOfOwner))

  return {
    countRequest({ name, tokenId }) {
      const waitMs = name === localActor.name ? owner.take(name) : requests.take(tokenId ?? name)
      if (waitMs === 0) return
      throw tooMany(
        `${JSON.stringify(name)} made more than ${requestsPerMinute} requests in a minute`,
        waitMs,
      )
    },
    countFailure(address) {
      const waitMs = failures.take(networkOf(address))
      if (waitMs === 0) return
      throw tooMany(
        `${address} sent more than ${failuresPerMinute} wrong tokens in a minute`,
        waitMs,
      )
    },
  }
}

/** Whoever has an IPv6 address has 2^64 of them. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - behind.length) }, () => '0')
  return [...groups, ...zeros, ...behind].slice(0, 4).join(':')
}

function tooMany(what: string, waitMs: number): AegisError {
  const seconds = Math.ceil(waitMs / 1000)
  return new AegisError(
    'exhausted',
    'access.rate',
    `${what}, the most that this node takes. Ask again in ${seconds} s, or raise the limit in spec.security.access of its configuration.`,
    { details: { retry_after_seconds: seconds } },
  )
}
