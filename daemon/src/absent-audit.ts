import type { AuditTrail } from '@aegis/core'

/** Keeps nothing: until a node has an audit. */
export const absentAudit: AuditTrail = { record: async () => {} }
