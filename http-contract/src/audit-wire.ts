import type { AuditProgress, AuditReport, LoggedEntry } from '@aegis/core'
import { z } from 'zod'
import { instant } from './scalars.ts'

const auditEntry = z.object({
  at: instant,
  type: z.string(),
  actor: z.string().optional(),
  agentId: z.string().optional(),
  executionId: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
})

/** An entry of `GET /api/audit/entries`, and the data of `GET /api/audit/events`. */
export const loggedEntry = z.object({
  index: z.int().min(0),
  /** Hash of its leaf, in base64. */
  hash: z.string(),
  /** As it is in the log; null where the retention dropped it. */
  entry: auditEntry.nullable(),
})

export const loggedEntries = z.array(loggedEntry)

type LoggedEntryWire = z.infer<typeof loggedEntry>

export const loggedEntryToWire = ({ index, hash, entry }: LoggedEntry): LoggedEntryWire => ({
  index,
  hash,
  entry: entry === undefined ? null : { ...entry, data: { ...entry.data } },
})

export const loggedEntryFromWire = ({ index, hash, entry }: LoggedEntryWire): LoggedEntry => ({
  index,
  hash,
  entry: entry ?? undefined,
})

/** `GET /api/audit/key` */
export const verifierKey = z.object({ key: z.string() })

/** How far the verification is: the data of `progress`. */
export const auditProgress: z.ZodType<AuditProgress, AuditProgress> = z.object({
  checked: z.int().min(0),
  size: z.int().min(0),
})

const auditFinding = z.object({
  code: z.enum([
    'changed',
    'missing',
    'surplus',
    'mislabelled',
    'hash-missing',
    'hash-changed',
    'root',
    'truncated',
    'unsigned',
  ]),
  index: z.int().optional(),
  through: z.int().optional(),
  message: z.string(),
})

/** `POST /api/audit/verify`, and the `verified` that ends its stream. */
export const auditReport = z.object({
  origin: z.string(),
  size: z.int().min(0),
  checked: z.int().min(0),
  dropped: z.int().min(0),
  checkpoint: z.object({ size: z.int().min(0), root: z.string() }).nullable(),
  unsigned: z.int().min(0),
  is_sound: z.boolean(),
  findings: z.array(auditFinding),
})

type AuditReportWire = z.infer<typeof auditReport>

export const auditReportToWire = ({
  isSound,
  checkpoint,
  findings,
  ...report
}: AuditReport): AuditReportWire => ({
  ...report,
  checkpoint: checkpoint === undefined ? null : { ...checkpoint },
  is_sound: isSound,
  findings: [...findings],
})

export const auditReportFromWire = ({
  is_sound,
  checkpoint,
  ...report
}: AuditReportWire): AuditReport => ({
  ...report,
  checkpoint: checkpoint ?? undefined,
  isSound: is_sound,
})
