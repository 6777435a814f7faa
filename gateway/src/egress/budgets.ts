import type { Clock, EgressLimits } from '@aegis/core'
import { limits } from '../limits.ts'
import { type ByteRate, makeByteRate } from './byte-rate.ts'

/** What of a budget is used up, and how to have more. */
export interface BudgetBreach {
  readonly code: string
  readonly reason: string
}

export type Direction = 'out' | 'in'

/** The budgets of one sandbox, which all of its connections share. */
export interface Budgets {
  /** Takes a place for a connection; the breach when there is none. Each place is given back once. */
  open(host: string): BudgetBreach | undefined
  close(): void
  /** Takes bytes of a connection that are about to pass; the breach when they must not. */
  take(host: string, direction: Direction, bytes: number): BudgetBreach | undefined
  /** How long the connection has to wait after these bytes. */
  pace(direction: Direction, bytes: number): number
}

export function makeBudgets(plan: EgressLimits, clock: Pick<Clock, 'monotonicMs'>): Budgets {
  const minute = makeRecentCount(plan.connectionsPerMinute, clock)
  const total = { out: 0, in: 0 }
  const hosts = new Map<string, { out: number; in: number }>()
  const rates = ratesOf(plan, clock)
  let open = 0

  const byHost = {
    out: {
      limit: plan.hostBytesOut,
      field: 'host_bytes_out',
      code: 'egress.budget-host-bytes-out',
    },
    in: { limit: plan.hostBytesIn, field: 'host_bytes_in', code: 'egress.budget-host-bytes-in' },
  }
  const byAll = {
    out: { limit: plan.bytesOut, field: 'bytes_out', code: 'egress.budget-bytes-out' },
    in: { limit: plan.bytesIn, field: 'bytes_in', code: 'egress.budget-bytes-in' },
  }
  const words = { out: 'sent to', in: 'received from' }

  function usedUp(host: string, direction: Direction, bytes: number): BudgetBreach | undefined {
    const used = hosts.get(host) ?? { out: 0, in: 0 }
    if (used[direction] + bytes > byHost[direction].limit) {
      const { limit, field, code } = byHost[direction]
      return breach(
        code,
        field,
        `${limit} bytes may be ${words[direction]} ${host} in one iteration`,
      )
    }
    if (total[direction] + bytes > byAll[direction].limit) {
      const { limit, field, code } = byAll[direction]
      return breach(
        code,
        field,
        `${limit} bytes may be ${words[direction]} all hosts in one iteration`,
      )
    }
    return undefined
  }

  return {
    open(host) {
      if (open >= plan.connections) {
        const fact = `${plan.connections} connections may be open at a time`
        return breach('egress.budget-connections', 'connections', fact)
      }
      // A connection on which not one byte could pass is not worth its while.
      const exhausted = usedUp(host, 'out', 1) ?? usedUp(host, 'in', 1)
      if (exhausted !== undefined) return exhausted
      if (!hosts.has(host) && hosts.size >= limits.egressHosts) {
        const reason = `One iteration connects to at most ${limits.egressHosts} hosts.`
        return { code: 'egress.budget-hosts', reason }
      }
      if (!minute.take()) {
        const fact = `${plan.connectionsPerMinute} connections may be opened in 60 seconds`
        return breach('egress.budget-connections-per-minute', 'connections_per_minute', fact)
      }
      if (!hosts.has(host)) hosts.set(host, { out: 0, in: 0 })
      open += 1
      return undefined
    },

    close() {
      open -= 1
    },

    take(host, direction, bytes) {
      const used = hosts.get(host)
      const found = usedUp(host, direction, bytes)
      // Once something had to be cut, the little that would still fit is gone too: otherwise each new
      // connection could fetch another piece, only to be cut again.
      if (found?.code === byHost[direction].code && used) used[direction] = byHost[direction].limit
      if (found?.code === byAll[direction].code) total[direction] = byAll[direction].limit
      if (found !== undefined) return found
      if (used !== undefined) used[direction] += bytes
      total[direction] += bytes
      return undefined
    },

    pace: (direction, bytes) => rates?.[direction].take(bytes) ?? 0,
  }
}

const breach = (code: string, field: string, fact: string): BudgetBreach => ({
  code,
  reason: `No more than ${fact}. Raise spec.security.network.limits.${field} of the manifest, within spec.security.egress.limits of the node.`,
})

function ratesOf(
  { bytesPerSecond }: EgressLimits,
  clock: Pick<Clock, 'monotonicMs'>,
): Readonly<Record<Direction, ByteRate>> | undefined {
  if (bytesPerSecond === undefined) return undefined
  return { out: makeByteRate(bytesPerSecond, clock), in: makeByteRate(bytesPerSecond, clock) }
}

/** Counts what happened in the last 60 seconds, exactly, in a ring of `most` moments. */
function makeRecentCount(most: number, clock: Pick<Clock, 'monotonicMs'>): { take(): boolean } {
  const moments: number[] = []
  let next = 0
  return {
    take() {
      const nowMs = clock.monotonicMs()
      const oldest = moments[next]
      if (oldest !== undefined && nowMs - oldest < 60_000) return false
      moments[next] = nowMs
      next = (next + 1) % most
      return true
    },
  }
}
