import type { Duplex } from 'node:stream'
import { limits } from '../limits.ts'

/** Ends a connection that does not bring a request: Node's own limits are for sockets only. */
export interface HeadDeadline {
  requestBegan(): void
  requestEnded(): void
}

export interface HeadDeadlineOptions {
  /** For the first request's head. */
  readonly headMs: number
  /** For each further one, from the end of the answer before it. */
  readonly idleMs: number
}

const standard: HeadDeadlineOptions = limits

export function watchHead(stream: Duplex, options = standard): HeadDeadline {
  let inFlight = 0
  let timer: NodeJS.Timeout | undefined
  const wait = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => stream.destroy(), ms)
  }
  stream.once('close', () => clearTimeout(timer))
  wait(options.headMs)

  return {
    requestBegan() {
      inFlight += 1
      clearTimeout(timer)
    },
    requestEnded() {
      inFlight -= 1
      if (inFlight === 0 && !stream.destroyed) wait(options.idleMs)
    },
  }
}
