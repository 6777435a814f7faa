import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AegisError, type LayoutFile, layoutArchive } from '@aegis/core'

const blobs = 'blobs/sha256'

/**
 * A directory with an OCI layout, as an archive that is made while it is read. Only what a layout is
 * made of is sent, and links lead nowhere.
 * @throws AegisError `invalid` / `archive.unreadable` it is no layout
 */
export async function openLayout(directory: string): Promise<AsyncIterable<Uint8Array>> {
  const documents = await Promise.all(
    ['oci-layout', 'index.json'].map((name) => fileOf(directory, name)),
  )
  const names = await readdir(join(directory, blobs)).catch(() => [])
  if (documents.includes(undefined) || names.length === 0) throw noLayout(directory)
  return layoutArchive(filesOf(directory, documents, names.sort()))
}

async function* filesOf(
  directory: string,
  documents: readonly (LayoutFile | undefined)[],
  names: readonly string[],
): AsyncIterable<LayoutFile> {
  for (const document of documents) if (document !== undefined) yield document
  for (const name of names) {
    const isBlob = /^[0-9a-f]{64}$/.test(name)
    const file = isBlob ? await fileOf(directory, `${blobs}/${name}`) : undefined
    if (file !== undefined) yield file
  }
}

async function fileOf(directory: string, path: string): Promise<LayoutFile | undefined> {
  const place = join(directory, path)
  const found = await lstat(place).catch(() => undefined)
  if (!found?.isFile()) return undefined
  return {
    path,
    sizeBytes: found.size,
    content: () => createReadStream(place, { highWaterMark: 1 << 20 }),
  }
}

const noLayout = (directory: string): AegisError =>
  new AegisError(
    'invalid',
    'archive.unreadable',
    `${directory} is a directory, and no OCI layout: that has oci-layout, index.json and blobs/sha256`,
    { details: { help: 'skopeo copy … oci:DIRECTORY, or give an archive' } },
  )
