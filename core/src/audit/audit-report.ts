/** What somebody found who looked a log over. */
export interface AuditReport {
  readonly origin: string
  /** Entries of the tree that was looked at. */
  readonly size: number
  /** Bodies that were there, and are what was once appended as far as nothing below says otherwise. */
  readonly checked: number
  /** Bodies at the beginning that were dropped, as the log itself says; their hashes are there. */
  readonly dropped: number
  /** The signed checkpoint that the tree was held against. */
  readonly checkpoint: { readonly size: number; readonly root: string } | undefined
  /** Entries behind that checkpoint: sound, but nobody has signed for them yet. */
  readonly unsigned: number
  /** Whether the log is whole: nothing was found. */
  readonly isSound: boolean
  /** The first hundred things that are wrong, by entry. */
  readonly findings: readonly AuditFinding[]
}

export interface AuditFinding {
  readonly code: AuditFindingCode
  /** The first entry concerned; absent: none in particular. */
  readonly index?: number | undefined
  /** The last one, where it cannot be told which of several it is. */
  readonly through?: number | undefined
  /** One sentence. */
  readonly message: string
}

export type AuditFindingCode =
  | 'changed' // An entry is not what was appended.
  | 'missing' // An entry is gone.
  | 'surplus' // Something stands where no entry belongs.
  | 'mislabelled' // What the entry is looked up by is not what it says.
  | 'hash-missing' // A hash of the tree is gone.
  | 'hash-changed' // Hashes do not lead to the one above them: entries and hashes were changed alike.
  | 'root' // The tree is not the one that was signed.
  | 'truncated' // The log is shorter than what was signed.
  | 'unsigned' // The checkpoint is not signed by the key.

export interface AuditProgress {
  /** Entries that were looked at. */
  readonly checked: number
  readonly size: number
}
