import { AegisError, type AuditQuery, parseDuration } from '@aegis/core'

export interface FilterOptions {
  readonly type?: string
  readonly agent?: string
  readonly task?: string
  readonly actor?: string
  readonly since?: string
  readonly until?: string
}

/** The flags of a command as the control plane takes them. @throws AegisError `invalid` */
export const filterOf = (options: FilterOptions, nowMs = Date.now()): AuditQuery => ({
  type: options.type,
  agentRef: options.agent,
  executionId: options.task,
  actor: options.actor,
  since: options.since === undefined ? undefined : momentOf(options.since, '--since', nowMs),
  until: options.until === undefined ? undefined : momentOf(options.until, '--until', nowMs),
})

/** A time, or how long ago it was. */
function momentOf(text: string, flag: string, nowMs: number): string {
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const at = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text)
    if (!Number.isNaN(at.valueOf())) return at.toISOString()
  } else {
    try {
      return new Date(nowMs - parseDuration(text)).toISOString()
    } catch {
      // It is neither.
    }
  }
  throw new AegisError(
    'invalid',
    'audit.time',
    `${flag} ${JSON.stringify(text)} is no time. Write how long ago it was, like 30m or 2h, or a time like 2026-11-22T15:00:00Z.`,
  )
}
