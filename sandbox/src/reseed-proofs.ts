/** Remembers what machines showed of their random numbers, so that no two are the same one. */
export interface ReseedProofs {
  /** False: a machine before this one showed the same. */
  admit(proof: Buffer): boolean
}

/** More lives than one snapshot will have; beyond them the oldest is forgotten. */
const REMEMBERED = 65_536

/** One for all machines of a node. Not only clones of one snapshot have to differ. */
export function makeReseedProofs(): ReseedProofs {
  const seen = new Set<string>()
  return {
    admit(proof) {
      const key = proof.toString('latin1')
      if (seen.has(key)) return false
      seen.add(key)
      for (const oldest of seen) {
        if (seen.size <= REMEMBERED) break
        seen.delete(oldest)
      }
      return true
    },
  }
}
