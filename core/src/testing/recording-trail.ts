import type { AuditEntry, AuditTrail } from '../audit/audit-entry.ts'

/** An audit that a test can read. */
export interface RecordingTrail extends AuditTrail {
  readonly entries: readonly AuditEntry[]
  /** From now on recording fails with this; undefined: no more. */
  failWith(error: Error | undefined): void
}

export function makeRecordingTrail(): RecordingTrail {
  const entries: AuditEntry[] = []
  let failure: Error | undefined
  return {
    entries,
    async record(more) {
      if (failure !== undefined) throw failure
      entries.push(...more)
    },
    failWith(error) {
      failure = error
    },
  }
}

/** Keeps nothing. */
export const forgetfulTrail: AuditTrail = { record: async () => {} }
