import type { AccessDenial, GatewayRecorder, Logger } from '@aegis/core'
import { limits } from '../limits.ts'

/** Records what a sandbox was refused, once at once, and the rest of a flood by number. */
export interface DenialLog extends Disposable {
  /** Never throws, and never waits: a refusal stands whether or not it could be recorded. */
  deny(denial: AccessDenial): void
}

export interface DenialLogDeps {
  readonly recorder: Pick<GatewayRecorder, 'denied'>
  readonly logger: Logger
  readonly executionId: string
  readonly intervalMs?: number
}

export function openDenialLog(deps: DenialLogDeps): DenialLog {
  const { recorder, logger, executionId, intervalMs = limits.denialRepeatMs } = deps
  const known = new Set<string>()
  const repeated = new Map<string, { denial: AccessDenial; count: number }>()
  let timer: NodeJS.Timeout | undefined
  let waitMs = intervalMs
  let ended = false

  function record(denial: AccessDenial): void {
    recorder.denied(denial).catch((err: unknown) => {
      logger.error({ executionId, err }, 'denial could not be recorded')
    })
  }

  function tellRepeated(): void {
    timer = undefined
    // Ever more seldom: an agent that goes on knocking must not fill the store.
    waitMs = Math.min(2 * waitMs, Math.max(intervalMs, limits.denialRepeatMostMs))
    for (const { denial, count } of repeated.values())
      record(count > 1 ? { ...denial, count } : denial)
    repeated.clear()
  }

  function repeat(key: string, denial: AccessDenial): void {
    const { count } = repeated.get(key) ?? { count: 0 }
    repeated.set(key, { denial, count: count + (denial.count ?? 1) })
    if (ended) tellRepeated()
    else timer ??= setTimeout(tellRepeated, waitMs).unref()
  }

  return {
    deny(asked) {
      const denial = { ...asked, subject: printable(asked.subject) }
      const key = JSON.stringify([denial.action, denial.subject, denial.code])
      if (known.has(key)) return repeat(key, denial)
      if (known.size < limits.denialsTold) {
        known.add(key)
        return record(denial)
      }
      const untold = { ...untoldDenials, action: denial.action }
      const untoldKey = JSON.stringify([untold.action, untold.code])
      if (known.has(untoldKey)) return repeat(untoldKey, untold)
      known.add(untoldKey)
      record(untold)
    },

    [Symbol.dispose]() {
      ended = true
      clearTimeout(timer)
      tellRepeated()
    },
  }
}

/** What an agent wanted may be any bytes. */
const printable = (subject: string): string =>
  subject.slice(0, limits.denialSubjectCharacters).replace(/\p{C}/gu, '?')

/** Stands for all that comes after so many different ones. */
const untoldDenials = {
  subject: 'others',
  code: 'egress.denials-untold',
  reason: `More than ${limits.denialsTold} different things were refused; further ones are only counted.`,
}
