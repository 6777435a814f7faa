import { lookup, Resolver } from 'node:dns/promises'
import { AegisError } from '@aegis/core'
import { limits } from '../limits.ts'
import { type IpAddress, parseIpAddress } from './ip-address.ts'

/** Looks names up. It remembers nothing: each connection asks anew. */
export interface NameResolver {
  /**
   * The addresses of a canonical name, in the order in which to try them; at least one.
   * @throws AegisError `unavailable` / `egress.unresolved`
   */
  resolve(name: string, signal: AbortSignal): Promise<readonly IpAddress[]>
}

export interface NameResolverOptions {
  /** `address` or `address:port`; none: whatever the host itself would ask, /etc/hosts included. */
  readonly servers: readonly string[]
  readonly timeoutMs?: number
}

/** @throws AegisError `invalid` / `egress.resolvers` for a server that is no address */
export function makeNameResolver(options: NameResolverOptions): NameResolver {
  const { servers, timeoutMs = limits.resolveMs } = options
  if (servers.length > 0) resolverOf(servers, timeoutMs)
  const ask = servers.length === 0 ? askHost : askServers(servers, timeoutMs)

  return {
    async resolve(name, signal) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      const texts = await ask(name, deadline).catch((cause: unknown) => {
        signal.throwIfAborted()
        throw unresolved(
          name,
          deadline.aborted ? `not within ${timeoutMs} ms` : codeOf(cause),
          cause,
        )
      })
      const addresses = texts
        .slice(0, limits.resolvedAddresses)
        .flatMap((text) => parseIpAddress(text) ?? [])
      if (addresses.length === 0) throw unresolved(name, 'no addresses')
      return addresses
    },
  }
}

type Ask = (name: string, signal: AbortSignal) => Promise<readonly string[]>

/** getaddrinfo cannot be called off; its answer is left alone then. */
const askHost: Ask = async (name, signal) => {
  const found = await unlessAborted(lookup(name, { all: true, order: 'verbatim' }), signal)
  return found.map(({ address }) => address)
}

const askServers =
  (servers: readonly string[], timeoutMs: number): Ask =>
  async (name, signal) => {
    const resolver = resolverOf(servers, timeoutMs)
    const cancel = (): void => resolver.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const asked = [resolver.resolve4(name), resolver.resolve6(name)]
      const [four, six] = await unlessAborted(Promise.allSettled(asked), signal)
      const answers = [four, six].map((answer) =>
        answer?.status === 'fulfilled' ? answer.value : [],
      )
      if (four?.status === 'rejected' && six?.status === 'rejected') throw four.reason
      return alternate(answers[0] ?? [], answers[1] ?? [])
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

function resolverOf(servers: readonly string[], timeoutMs: number): Resolver {
  const resolver = new Resolver({ timeout: Math.max(1, Math.floor(timeoutMs / 3)), tries: 2 })
  try {
    resolver.setServers(servers)
  } catch (cause) {
    const message = `spec.security.egress.resolvers: ${servers.join(', ')} are not all addresses. Write 10.0.0.53, 10.0.0.53:5353 or [fd00::53]:53.`
    throw new AegisError('invalid', 'egress.resolvers', message, { cause })
  }
  return resolver
}

/** One of each family in turn, so that a family that does not work costs one attempt. */
function alternate(four: readonly string[], six: readonly string[]): readonly string[] {
  const rounds = Math.max(four.length, six.length)
  return Array.from({ length: rounds }, (_, index) => [four[index], six[index]])
    .flat()
    .filter((text) => text !== undefined)
}

async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'it failed'

const unresolved = (name: string, why: string, cause?: unknown): AegisError =>
  new AegisError('unavailable', 'egress.unresolved', `${name} has no address: ${why}.`, { cause })
