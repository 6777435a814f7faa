import { AegisError } from '@aegis/core'
import { z } from 'zod'

const digest = z.string().regex(/^[0-9a-f]{64}$/)
const word = z.string().min(1).max(200)

const schema = z.strictObject({
  /** SHA-256 of the kernel's file. */
  digest,
  /** What people call it: the package, or the name of the operator's file. */
  name: word,
  /** Of Linux, as the kernel itself says: `6.12.91`. */
  linux: word,
  sizeBytes: z.int().positive(),
  /** Where it came from. */
  origin: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('package'),
      package: word,
      version: word,
      url: z.url().max(2000),
      /** SHA-256 of the package. */
      digest,
      /** How that digest is known to be right. */
      trust: z.enum(['pinned', 'signature']),
    }),
    z.strictObject({ kind: z.literal('file'), path: z.string().min(1).max(4096) }),
  ]),
  /** What it needs on its command line besides what every guest gets. */
  arguments: z.array(word).max(32),
  /** It finds its disks in ACPI's tables alone. */
  needsAcpi: z.boolean(),
  /** Its drivers, where they are not built in: the SHA-256 of the file with them. */
  modules: z
    .strictObject({ digest, sizeBytes: z.int().positive(), names: z.array(word).max(64) })
    .optional(),
  fetchedAt: z.iso.datetime(),
})

/** What the store knows of a kernel. */
export type KernelRecord = z.infer<typeof schema>

/** @throws AegisError `unavailable` / `kernel.record` */
export function parseKernelRecord(text: string, path: string): KernelRecord {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new AegisError(
      'unavailable',
      'kernel.record',
      `${path} is not a record of a kernel. Remove its folder and fetch the kernel again: aegis kernel fetch`,
      { cause },
    )
  }
}
