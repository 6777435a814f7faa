import type { Clock, ConnectionEnd, ConnectionStart, EgressLimits } from '@aegis/core'
import type { BudgetBreach, Budgets, Direction } from './budgets.ts'
import type { Dialled } from './dial-socket.ts'

/**
 * A connection to the world, with account of all that passes: to be read and written by who asks
 * `pass` about each chunk.
 */
export interface Connection extends Dialled {
  readonly start: ConnectionStart
  /**
   * Takes bytes that are about to pass. Gives the milliseconds to wait before the next ones; or
   * undefined when a budget is used up: then they must not pass, and the connection has ended.
   */
  pass(direction: Direction, bytes: number): number | undefined
  /** Ends it; later calls do nothing. */
  end(facts?: ConnectionFacts): void
}

export interface ConnectionFacts {
  /** Why AEGIS ended it. */
  readonly cause?: string
  readonly requests?: number
}

export interface ConnectionDeps {
  readonly dialled: Dialled
  readonly start: ConnectionStart
  readonly startedMs: number
  readonly budgets: Budgets
  readonly limits: Pick<EgressLimits, 'idleTimeoutMs' | 'totalTimeoutMs'>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly onBreach: (breach: BudgetBreach) => void
  /** Called once. */
  readonly onEnd: (end: ConnectionEnd) => void
}

export function makeConnection(deps: ConnectionDeps): Connection {
  const { dialled, start, startedMs, budgets, limits, clock, onBreach, onEnd } = deps
  const { socket } = dialled
  const { connection, host, port } = start
  const bytes = { out: 0, in: 0 }
  let ended = false
  let movedMs = clock.monotonicMs()
  let idle: NodeJS.Timeout | undefined

  function end({ cause, requests }: ConnectionFacts = {}): void {
    if (ended) return
    ended = true
    clearTimeout(idle)
    clearTimeout(total)
    socket.destroy()
    const durationMs = Math.round(clock.monotonicMs() - startedMs)
    const facts = { connection, host, port, bytesOut: bytes.out, bytesIn: bytes.in, durationMs }
    onEnd({
      ...facts,
      ...(requests !== undefined && { requests }),
      ...(cause !== undefined && { cause }),
    })
  }

  // Bytes only note the time: a timer that is set anew with each chunk would cost more than the chunk.
  function watchIdle(): void {
    const leftMs = movedMs + limits.idleTimeoutMs - clock.monotonicMs()
    if (leftMs <= 0) end({ cause: 'egress.idle-timeout' })
    else idle = setTimeout(watchIdle, Math.ceil(leftMs))
  }

  const expire = (): void => end({ cause: 'egress.total-timeout' })
  const total = setTimeout(expire, limits.totalTimeoutMs)
  watchIdle()
  // In a moment: who reads it may still have something to say of it.
  socket.once('close', () => setImmediate(end))

  return {
    ...dialled,
    start,
    pass(direction, count) {
      if (ended) return undefined
      const breach = budgets.take(host, direction, count)
      if (breach !== undefined) {
        end({ cause: breach.code })
        onBreach(breach)
        return undefined
      }
      bytes[direction] += count
      const waitMs = budgets.pace(direction, count)
      movedMs = clock.monotonicMs() + waitMs
      return waitMs
    },
    end,
  }
}
