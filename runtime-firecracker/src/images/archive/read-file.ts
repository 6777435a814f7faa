import { type FileSink, type MemberBudget, type ScannedBytes, scanLayer } from './scan-layer.ts'
import type { SpoolFile } from './spool-file.ts'
import { isTarHeader, tarBlockBytes } from './tar-header.ts'

/** A file of an archive. */
export interface ArchiveFile extends ScannedBytes {
  readonly sizeBytes: number
  /** In the spool; absent for a tar archive, which is a layer and whose contents went to the sink. */
  readonly offset?: number
}

interface Destination {
  readonly members: MemberBudget
  readonly sink: FileSink
  readonly spool: SpoolFile
}

export interface FileReader {
  push(bytes: Uint8Array): void
  finish(): ArchiveFile
}

/** Reads a file of an archive, piece by piece. Its beginning tells whether it is a layer. */
export function makeFileReader({ members, sink, spool }: Destination): FileReader {
  const scan = scanLayer(members, sink)
  let beginning = Buffer.alloc(0)
  let isLayer: boolean | undefined
  let offset: number | undefined
  let sizeBytes = 0
  const decide = () => {
    isLayer = isTarHeader(beginning)
    if (isLayer) return
    offset = spool.length
    spool.append(beginning)
  }
  return {
    push(part) {
      sizeBytes += part.length
      scan.push(part)
      if (isLayer === false) spool.append(part)
      if (isLayer !== undefined) return
      beginning = Buffer.concat([beginning, part])
      if (beginning.length >= tarBlockBytes) decide()
    },
    finish() {
      if (isLayer === undefined) decide()
      return { sizeBytes, ...(offset !== undefined && { offset }), ...scan.finish() }
    },
  }
}
