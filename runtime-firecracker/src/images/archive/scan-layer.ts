import { createHash } from 'node:crypto'
import { AegisError } from '@aegis/core'
import type { Attributes, Content } from '../erofs/tree.ts'
import { tooLarge } from './bad-archive.ts'
import { makeTarScanner, type TarMember } from './tar-scanner.ts'

/** An entry of a layer. */
export interface LayerMember extends TarMember {
  /** Where what the sink was given lies; of a file. */
  readonly content?: Content
}

/** Where the contents of files go while an archive is read. */
export interface FileSink {
  file(attributes: Attributes, sizeBytes: number): Content
  /** Of the file that was begun last; to be copied. */
  content(bytes: Uint8Array): void
}

/** What a run of bytes turned out to be. */
export interface ScannedBytes {
  /** `sha256:…` of all of them. */
  readonly digest: string
  /** Its entries when it is a tar archive, or why it is none. */
  readonly members: readonly LayerMember[] | AegisError
}

export interface LayerScan {
  push(bytes: Uint8Array): void
  finish(): ScannedBytes
}

/** Memory that entries may still take, shared by all layers of an image. */
export interface MemberBudget {
  leftBytes: number
}

/** Of an entry, besides its names. */
const memberBytes = 320

/**
 * Hashes bytes and, where they are a tar archive, lists its entries and hands over their contents; in
 * one go, as they pass by.
 */
export function scanLayer(budget: MemberBudget, sink: FileSink): LayerScan {
  const hash = createHash('sha256')
  const members: LayerMember[] = []
  let keptBytes = 0
  let problem: AegisError | undefined
  const scanner = makeTarScanner({
    member(member) {
      const bytes = memberBytes + member.path.length + member.linkPath.length
      if (budget.leftBytes < bytes) throw tooLarge('more entries than are read of one')
      budget.leftBytes -= bytes
      keptBytes += bytes
      if (member.kind !== 'file') members.push(member)
      else members.push({ ...member, content: sink.file(member, member.sizeBytes) })
    },
    content: (bytes) => sink.content(bytes),
  })
  const attempt = (step: () => void) => {
    if (problem !== undefined) return
    try {
      step()
    } catch (error) {
      if (!(error instanceof AegisError)) throw error
      problem = error
      budget.leftBytes += keptBytes
      members.length = 0
    }
  }
  return {
    push(bytes) {
      hash.update(bytes)
      attempt(() => scanner.push(bytes))
    },
    finish() {
      attempt(() => scanner.end())
      return { digest: `sha256:${hash.digest('hex')}`, members: problem ?? members }
    },
  }
}
