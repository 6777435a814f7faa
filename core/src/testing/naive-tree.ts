import type { MerkleHash } from '../audit/merkle-hash.ts'

// The definitions of RFC 9162, section 2.1, word by word: slow, and easy to believe.

const split = (count: number): number => 2 ** Math.ceil(Math.log2(count) - 1)

export function naiveRoot(hash: MerkleHash, leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (only === undefined) return hash.empty
  if (leaves.length === 1) return only
  const k = split(leaves.length)
  return hash.node(naiveRoot(hash, leaves.slice(0, k)), naiveRoot(hash, leaves.slice(k)))
}

export function naiveInclusion(
  hash: MerkleHash,
  index: number,
  leaves: readonly Uint8Array[],
): Uint8Array[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return index < k
    ? [...naiveInclusion(hash, index, leaves.slice(0, k)), naiveRoot(hash, leaves.slice(k))]
    : [...naiveInclusion(hash, index - k, leaves.slice(k)), naiveRoot(hash, leaves.slice(0, k))]
}

export function naiveConsistency(
  hash: MerkleHash,
  old: number,
  leaves: readonly Uint8Array[],
  isWhole = true,
): Uint8Array[] {
  if (old === leaves.length) return isWhole ? [] : [naiveRoot(hash, leaves)]
  const k = split(leaves.length)
  return old <= k
    ? [
        ...naiveConsistency(hash, old, leaves.slice(0, k), isWhole),
        naiveRoot(hash, leaves.slice(k)),
      ]
    : [
        ...naiveConsistency(hash, old - k, leaves.slice(k), false),
        naiveRoot(hash, leaves.slice(0, k)),
      ]
}
