/** What an archive may hold. The disk's free space bounds it besides. */
export interface ArchiveLimits {
  /** Of the archive, and of all that is unpacked from it. */
  readonly maxBytes: number
  /** Memory for the entries of all layers together: about 500,000 of the usual length. */
  readonly maxMemberBytes: number
  /** Of the image that the layers make. */
  readonly maxInodes: number
}

export const defaultArchiveLimits: ArchiveLimits = {
  maxBytes: 64 * 2 ** 30,
  maxMemberBytes: 192 * 2 ** 20,
  maxInodes: 300_000,
}

/** Extended headers, which are kept in memory one at a time. */
export const maxExtensionBytes = 1 << 20
/** JSON of an image: manifest, index and configuration. */
export const maxDocumentBytes = 4 << 20
/** As many as an engine can stack. */
export const maxLayers = 127
export const maxArchiveFiles = 10_000
