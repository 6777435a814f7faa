import type { AuditEntry, AuditTrail } from '../audit/audit-entry.ts'

/** An audit that a test can read. */
export interface RecordingTrail extends AuditTrail {
  readonly entries: readonly AuditEntry[]
  /** Resolves once there are so many. */
  recorded(count: number): Promise<void>
  /** From now on recording fails with this; undefined: no more. */
  failWith(error: Error | undefined): void
}

export function makeRecordingTrail(): RecordingTrail {
  const entries: AuditEntry[] = []
  const waiting = new Set<() => void>()
  let failure: Error | undefined
  return {
    entries,
    async record(more) {
      if (failure !== undefined) throw failure
      entries.push(...more)
      for (const look of [...waiting]) look()
    },
    async recorded(count) {
      if (entries.length >= count) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => {
        if (entries.length >= count) resolve()
      }
      waiting.add(look)
      await promise
      waiting.delete(look)
    },
    failWith(error) {
      failure = error
    },
  }
}

/** Keeps nothing. */
export const forgetfulTrail: AuditTrail = { record: async () => {} }
