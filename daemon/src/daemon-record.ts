import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { z } from 'zod'

const schema = z.strictObject({
  pid: z.int().positive(),
  url: z.url(),
  version: z.string(),
  startedAt: z.iso.datetime(),
  /** Of a daemon that serves over TLS. */
  tls: z
    .strictObject({
      /** What it shows to its clients, as PEM. */
      certificate: z.string(),
      /** Where it asks its clients for a certificate too: the key that belongs to this one. */
      keyPath: z.string().optional(),
    })
    .optional(),
})

/** What a serving daemon says of itself in AEGIS_HOME. */
export type DaemonRecord = z.infer<typeof schema>

export async function writeDaemonRecord(path: string, record: DaemonRecord): Promise<void> {
  // Renamed into place, so that no reader sees half of it.
  const unfinished = `${path}.${process.pid}`
  await writeFile(unfinished, `${JSON.stringify(record)}\n`, { mode: 0o600 })
  await rename(unfinished, path)
}

/** The record, or undefined where there is none or none that can be read. */
export async function readDaemonRecord(path: string): Promise<DaemonRecord | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Removes the record, unless another daemon wrote one since. */
export async function removeDaemonRecord(path: string, pid: number): Promise<void> {
  const record = await readDaemonRecord(path)
  if (record === undefined || record.pid === pid) await rm(path, { force: true })
}
