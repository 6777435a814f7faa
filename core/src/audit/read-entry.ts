import type { AuditEntry } from './audit-entry.ts'

/** What entries are looked up by. */
export interface AuditKeys {
  readonly at: string
  readonly type: string
  readonly actor: string | undefined
  readonly agentId: string | undefined
  readonly executionId: string | undefined
}

export const keysOf = ({ at, type, actor, agentId, executionId }: AuditEntry): AuditKeys => ({
  at,
  type,
  actor,
  agentId,
  executionId,
})

/** The entry in a body; undefined where it holds none, so somebody else has written it. */
export function readEntry(body: Uint8Array): AuditEntry | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(body))
    return isEntry(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is AuditEntry {
  if (typeof value !== 'object' || value === null) return false
  const { at, type, data, actor, agentId, executionId } = value as Record<string, unknown>
  return (
    typeof at === 'string' &&
    typeof type === 'string' &&
    typeof data === 'object' &&
    data !== null &&
    !Array.isArray(data) &&
    [actor, agentId, executionId].every((name) => name === undefined || typeof name === 'string')
  )
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
