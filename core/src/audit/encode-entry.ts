import { canonicalJson } from '../kernel/canonical-json.ts'
import type { AuditEntry } from './audit-entry.ts'
import { hashText } from './hash-text.ts'
import type { Sha256 } from './merkle-hash.ts'

/** Longest entry: its length is written with 16 bits where entries stand in bundles. */
export const maxEntryBytes = 65_535

/** Longest `type`, `actor`, `agentId` and `executionId`, in characters. */
const maxNameChars = 256
/** A part of `data` that is longer is cut first, to this many characters. */
const keptChars = 512

/**
 * An entry as it is hashed and kept: canonical JSON, at most 65,535 bytes. Of data that are longer,
 * the long parts are cut to their beginning, each with its length and the hash of the whole of it.
 */
export function encodeEntry(entry: AuditEntry, sha256: Sha256): Uint8Array {
  const whole = encode(entry)
  if (whole.length <= maxEntryBytes) return whole
  const parts = Object.entries(entry.data).map(([key, part]) => [key, cut(part, sha256)] as const)
  const shorter = encode({ ...shortNames(entry), data: Object.fromEntries(parts) })
  if (shorter.length <= maxEntryBytes) return shorter
  return encode({ ...shortNames(entry), data: { cut: cut(entry.data, sha256) } })
}

function cut(part: unknown, sha256: Sha256): unknown {
  const text = canonicalJson(part)
  if (text.length <= 2 * keptChars) return part
  const start = (typeof part === 'string' ? part : text).slice(0, keptChars)
  return { cut: true, bytes: utf8.encode(text).length, start, sha256: hashText(text, sha256) }
}

const shortNames = ({ type, actor, agentId, executionId, ...rest }: AuditEntry): AuditEntry => ({
  ...rest,
  type: type.slice(0, maxNameChars),
  actor: actor?.slice(0, maxNameChars),
  agentId: agentId?.slice(0, maxNameChars),
  executionId: executionId?.slice(0, maxNameChars),
})

const utf8 = new TextEncoder()
const encode = (entry: AuditEntry): Uint8Array => utf8.encode(canonicalJson(entry))
