import type { Instant } from '@aegis/core'
import * as z from 'zod'

/** Changes whenever the same image would be written in other bytes. */
export const diskFormat = 2

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)

const recordSchema = z.strictObject({
  version: z.literal(2),
  id: digest,
  /** By which engines know the same image. */
  otherIds: z.array(digest).max(20),
  /** Given by the operator: here they lead to this image, whatever an engine means by them. */
  names: z.array(z.string().min(1).max(512)).max(1000),
  /** By which it was fetched from registries, with tags; each leads to one image of the cache. */
  references: z.array(z.string().min(1).max(512)).max(1000),
  /** `name@sha256:…`, by which registries have it. */
  digests: z.array(z.string().min(1).max(512)).max(1000),
  sizeBytes: z.number().int().positive(),
  inodes: z.number().int().positive(),
  env: z.record(z.string().max(32_768), z.string().max(32_768)),
  createdAt: z.iso.datetime(),
  madeAt: z.iso.datetime(),
  /** Handed over as an archive, or fetched by this node: its own to remove. */
  own: z.boolean(),
})

/** What is known of a disk, kept beside it. */
export type CacheRecord = Omit<z.infer<typeof recordSchema>, 'createdAt' | 'madeAt'> & {
  readonly createdAt: Instant
  readonly madeAt: Instant
}

/** Undefined when it is damaged: the disk is then made again. */
export function parseCacheRecord(text: string): CacheRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
