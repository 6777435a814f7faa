import { randomBytes } from 'node:crypto'
import { ProtocolViolation } from './wire/frame.ts'

export interface PingerOptions {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly send: (token: Buffer) => void
  /** A ping stayed unanswered for `timeoutMs`. */
  readonly onSilence: () => void
}

export interface Pinger {
  begin(): void
  /** @throws ProtocolViolation when it answers no ping */
  answer(token: Buffer): void
  stop(): void
}

/** Asks the guest at intervals whether it still lives, one question at a time. */
export function makePinger({ intervalMs, timeoutMs, send, onSilence }: PingerOptions): Pinger {
  let timer: NodeJS.Timeout | undefined
  let expected: Buffer | undefined
  let stopped = false

  const after = (ms: number, action: () => void) => {
    if (stopped) return
    timer = setTimeout(action, ms)
    timer.unref()
  }
  const ping = () => {
    // Not to be guessed: only who reads all that was sent before can answer.
    const token = randomBytes(8)
    expected = token
    send(token)
    after(timeoutMs, () => setImmediate(() => giveUp(token)))
  }
  // If this process itself was held up, the answer may be waiting behind the timer: hence the
  // turn of the event loop in between.
  const giveUp = (token: Buffer) => {
    if (!stopped && expected === token) onSilence()
  }

  return {
    begin: () => after(intervalMs, ping),
    answer: (token) => {
      if (!expected?.equals(token)) throw new ProtocolViolation('PONG to no ping')
      expected = undefined
      clearTimeout(timer)
      after(intervalMs, ping)
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
