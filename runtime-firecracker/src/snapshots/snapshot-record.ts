import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { SnapshotSubject } from '@aegis/core'
import * as z from 'zod'

/** The files of a snapshot, beside its record. */
export const snapshotFiles = ['state', 'memory', 'scratch.tar'] as const

const digest = z.string().regex(/^[0-9a-f]{64}$/)

const recordSchema = z.strictObject({
  format: z.literal(1),
  agentId: z.string().min(1).max(64),
  agentRevision: z.number().int().positive(),
  /** All that has to be the same on the day on which it is restored, by what people call it. */
  facts: z.record(z.string().max(64), z.string().max(4096)),
  guest: z.strictObject({ standby: z.number().int().positive().optional() }),
  /** What `digestFile` says of each. */
  files: z.strictObject({ state: digest, memory: digest, 'scratch.tar': digest }),
  madeAt: z.iso.datetime(),
})

/** What is known of a snapshot, kept beside it under a seal. */
export type SnapshotRecord = Readonly<z.infer<typeof recordSchema>>

/** What a snapshot depends on, by what people call it: `monitor`, `kernel` … */
export type SnapshotFacts = Readonly<Record<string, string>>

/** The bytes of a record, and what shows that this node has written them (HMAC-SHA-256, RFC 2104). */
export interface SealedRecord {
  readonly text: string
  readonly seal: string
}

export function sealRecord(record: SnapshotRecord, key: Uint8Array): SealedRecord {
  const text = JSON.stringify(recordSchema.parse(record))
  return { text, seal: macOf(text, key).toString('hex') }
}

/** Undefined when a bit of it is another than was sealed, or by another key. */
export function unsealRecord(
  { text, seal }: SealedRecord,
  key: Uint8Array,
): SnapshotRecord | undefined {
  const given = Buffer.from(seal.trim(), 'hex')
  const own = macOf(text, key)
  if (given.length !== own.length || !timingSafeEqual(given, own)) return undefined
  // What carries our seal was written by us, but perhaps by another version.
  return recordSchema.safeParse(JSON.parse(text)).data
}

const macOf = (text: string, key: Uint8Array): Buffer =>
  createHmac('sha256', key).update('aegis snapshot record\n').update(text).digest()

/** Of what was put into the sandbox and started there. */
export function digestContents({ files, command }: SnapshotSubject): string {
  const whole = createHash('sha256').update(JSON.stringify(command))
  for (const { path, mode, content } of files) {
    const own = createHash('sha256').update(content).digest('hex')
    whole.update(JSON.stringify([path, mode ?? null, own]))
  }
  return whole.digest('hex')
}

/** The names of what is not as it was. */
export function differences(kept: SnapshotFacts, now: SnapshotFacts): readonly string[] {
  const names = new Set([...Object.keys(kept), ...Object.keys(now)])
  return [...names].filter((name) => kept[name] !== now[name]).sort()
}
