import {
  type AccessDenial,
  AegisError,
  type Clock,
  type ConnectionEnd,
  type GatewayRecorder,
  type Logger,
  type SandboxIdentity,
} from '@aegis/core'
import { limits } from '../limits.ts'
import type { BudgetBreach, Budgets } from './budgets.ts'
import { type AddressRefusal, refuseAddress } from './check-address.ts'
import { type Connection, makeConnection } from './connection.ts'
import { dialSocket } from './dial-socket.ts'
import type { Destination } from './egress-session.ts'
import { type IpAddress, parseIpAddress } from './ip-address.ts'
import type { NameResolver } from './name-resolver.ts'
import { subjectOf } from './subject-of.ts'

export interface OpenConnectionDeps {
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  readonly budgets: Budgets
  readonly resolver: NameResolver
  /** Read for each connection, as it is about to be dialled. */
  readonly ownAddresses: () => readonly IpAddress[]
  readonly deny: (denial: AccessDenial) => void
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: Logger
  readonly onOpen: (connection: Connection) => void
  /** Aborted when the sandbox ends. */
  readonly signal: AbortSignal
}

export type OpenConnection = (destination: Destination, signal: AbortSignal) => Promise<Connection>

/**
 * Makes what opens the connections of one sandbox, in this order: a place in the budgets, the look-up,
 * the check of each address, the durable record, the dial. See `EgressSession.dial`.
 */
export function makeOpenConnection(deps: OpenConnectionDeps): OpenConnection {
  const { identity, recorder, budgets, resolver, ownAddresses, deny, clock, logger } = deps
  const { policy, egress: plan, executionId } = identity
  let connections = 0

  function refuse({ host, port }: Destination, refusal: AddressRefusal | BudgetBreach): AegisError {
    deny({ action: 'network.connect', subject: subjectOf(host, port), ...refusal })
    return new AegisError('denied', refusal.code, refusal.reason)
  }

  async function lookUp(
    { host, port }: Destination,
    signal: AbortSignal,
  ): Promise<readonly IpAddress[]> {
    const literal = parseIpAddress(host)
    if (literal !== undefined) return [literal]
    try {
      return await resolver.resolve(host, signal)
    } catch (error) {
      if (error instanceof AegisError && error.code === 'egress.unresolved') {
        const { code, message: reason } = error
        deny({ action: 'network.connect', subject: subjectOf(host, port), code, reason })
      }
      throw error
    }
  }

  async function addressesOf(
    destination: Destination,
    signal: AbortSignal,
  ): Promise<readonly IpAddress[]> {
    const all = await lookUp(destination, signal)
    const judged = { policy, plan, own: ownAddresses() }
    const refusals = all.map((address) => refuseAddress(judged, destination, address))
    const left = all.filter((_, index) => refusals[index] === undefined)
    const first = refusals.find((refusal) => refusal !== undefined)
    if (left.length === 0 && first !== undefined) throw refuse(destination, first)
    return left
  }

  async function attempt(
    destination: Destination,
    address: IpAddress,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { host, port, via, reading, decision } = destination
    const startedMs = clock.monotonicMs()
    connections += 1
    const start = {
      connection: connections,
      host,
      port,
      address: address.text,
      via,
      reading,
      policies: decision.policies,
    }
    await recorder.connecting(start)
    try {
      const dialled = await dialSocket(address, port, timeoutMs, signal)
      const connection = makeConnection({
        ...{ dialled, start, startedMs, budgets, clock, limits: plan.limits },
        onBreach: (breach) => void refuse(destination, breach),
        onEnd(end) {
          budgets.close()
          recordEnd(end)
        },
      })
      deps.onOpen(connection)
      return connection
    } catch (error) {
      const durationMs = Math.round(clock.monotonicMs() - startedMs)
      const facts = {
        connection: start.connection,
        host,
        port,
        bytesOut: 0,
        bytesIn: 0,
        durationMs,
      }
      const cause = causeOf(signal)
      recordEnd(cause === undefined ? facts : { ...facts, cause })
      throw error
    }
  }

  /** Why a dial came to nothing; undefined: the client did not wait for it. */
  function causeOf(signal: AbortSignal): string | undefined {
    if (deps.signal.aborted) return 'egress.sandbox-ended'
    return signal.aborted ? undefined : 'egress.unreachable'
  }

  function recordEnd(end: ConnectionEnd): void {
    recorder.disconnected(end).catch((err: unknown) => {
      logger.error({ executionId, err }, 'end of a connection could not be recorded')
    })
  }

  return async (destination, asked) => {
    const signal = AbortSignal.any([asked, deps.signal])
    signal.throwIfAborted()
    if (!destination.decision.allow) throw new Error('A connection that the policy did not permit')
    const breach = budgets.open(destination.host)
    if (breach !== undefined) throw refuse(destination, breach)
    try {
      const addresses = await addressesOf(destination, signal)
      const deadlineMs = clock.monotonicMs() + limits.dialMs
      let failure: unknown
      for (const [index, address] of addresses.entries()) {
        const leftMs = Math.ceil(deadlineMs - clock.monotonicMs())
        if (leftMs <= 0) break
        const last = index === addresses.length - 1
        const timeoutMs = last ? leftMs : Math.min(leftMs, limits.dialAttemptMs)
        try {
          return await attempt(destination, address, timeoutMs, signal)
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof AegisError && error.code === 'egress.unreachable')) throw error
          failure = error
        }
      }
      throw failure
    } catch (error) {
      budgets.close()
      throw error
    }
  }
}
