/** SHA-256, passed in: core computes trees, the platform computes hashes. */
export type Sha256 = (data: Uint8Array) => Uint8Array

export const hashLength = 32

/** How a Merkle tree is hashed (RFC 9162, section 2.1.1). */
export interface MerkleHash {
  leaf(entry: Uint8Array): Uint8Array
  node(left: Uint8Array, right: Uint8Array): Uint8Array
  /** Root of the tree without entries. */
  readonly empty: Uint8Array
}

export function makeMerkleHash(sha256: Sha256): MerkleHash {
  // Hashing is synchronous, so that one buffer serves all nodes.
  const pair = new Uint8Array(1 + 2 * hashLength)
  pair[0] = 1
  return {
    leaf(entry) {
      const prefixed = new Uint8Array(1 + entry.length)
      prefixed.set(entry, 1)
      return sha256(prefixed)
    },
    node(left, right) {
      pair.set(left, 1)
      pair.set(right, 1 + hashLength)
      return sha256(pair)
    },
    empty: sha256(new Uint8Array()),
  }
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
