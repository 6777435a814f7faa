import type { SandboxStats } from '@aegis/core'
import { ProtocolViolation } from './wire/frame.ts'
import { parseStatsReply } from './wire/messages.ts'

type Answer = SandboxStats | undefined

/** Questions about the sandbox's usage that the guest has not answered yet. */
export class StatsRequests {
  readonly #open = new Map<number, (answer: Answer) => void>()
  #last = 0

  /** `reply` resolves with undefined when the session ended first. */
  ask(): { readonly request: Buffer; readonly reply: Promise<Answer> } {
    this.#last = (this.#last + 1) >>> 0
    const request = Buffer.alloc(4)
    request.writeUInt32BE(this.#last)
    const { promise, resolve } = Promise.withResolvers<Answer>()
    this.#open.set(this.#last, resolve)
    return { request, reply: promise }
  }

  /** @throws ProtocolViolation when nobody asked */
  answer(payload: Buffer): void {
    const { id, stats } = parseStatsReply(payload)
    const resolve = this.#open.get(id)
    if (!resolve) throw new ProtocolViolation('STATS_REPLY that nobody asked for')
    this.#open.delete(id)
    resolve(stats)
  }

  lose(): void {
    for (const resolve of this.#open.values()) resolve(undefined)
    this.#open.clear()
  }
}
