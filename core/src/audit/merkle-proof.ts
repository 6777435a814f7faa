import { hashLength, type MerkleHash, sameBytes } from './merkle-hash.ts'
import { largestPowerBelow, type StoredTree } from './stored-tree.ts'

/** The hashes that lead from entry `index` to the root of a tree of `size` (RFC 9162, 2.1.3.1). */
export async function proveInclusion(
  tree: StoredTree,
  index: number,
  size: number,
): Promise<readonly Uint8Array[]> {
  const path = async (begin: number, end: number): Promise<Uint8Array[]> => {
    if (end - begin === 1) return []
    const middle = begin + largestPowerBelow(end - begin)
    return index < middle
      ? [...(await path(begin, middle)), await tree.range(middle, end)]
      : [...(await path(middle, end)), await tree.range(begin, middle)]
  }
  return path(0, size)
}

/** The hashes that show a tree of `size` to begin with one of `old` (RFC 9162, 2.1.4.1). */
export async function proveConsistency(
  tree: StoredTree,
  old: number,
  size: number,
): Promise<readonly Uint8Array[]> {
  if (old === 0 || old === size) return []
  const proof = async (begin: number, end: number, isWhole: boolean): Promise<Uint8Array[]> => {
    if (old === end) return isWhole ? [] : [await tree.range(begin, end)]
    const middle = begin + largestPowerBelow(end - begin)
    return old <= middle
      ? [...(await proof(begin, middle, isWhole)), await tree.range(middle, end)]
      : [...(await proof(middle, end, false)), await tree.range(begin, middle)]
  }
  return proof(0, size, true)
}

export interface InclusionClaim {
  readonly index: number
  readonly size: number
  readonly leaf: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** The root that the claim leads to; undefined where it leads nowhere (RFC 9162, 2.1.3.2). */
export function rootOfInclusion(hash: MerkleHash, claim: InclusionClaim): Uint8Array | undefined {
  const { index, size, leaf, proof } = claim
  if (!isPlace(index) || !isPlace(size) || index >= size || !proof.every(isHash)) return undefined
  let place = index
  let last = size - 1
  let root = leaf
  for (const sibling of proof) {
    if (last === 0) return undefined
    if (isOdd(place) || place === last) {
      root = hash.node(sibling, root)
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      root = hash.node(root, sibling)
    }
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 ? root : undefined
}

export interface ConsistencyClaim {
  readonly old: number
  readonly oldRoot: Uint8Array
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** Whether the tree of `size` begins with the one of `old` (RFC 9162, 2.1.4.2). */
export function isConsistent(hash: MerkleHash, claim: ConsistencyClaim): boolean {
  const { old, oldRoot, size, root, proof } = claim
  if (!isPlace(old) || !isPlace(size) || old > size || !proof.every(isHash)) return false
  if (old === 0) return proof.length === 0 && sameBytes(oldRoot, hash.empty)
  if (old === size) return proof.length === 0 && sameBytes(oldRoot, root)
  if (proof.length === 0) return false
  const isPower = largestPowerBelow(old + 1) === old
  const [first, ...rest] = isPower ? [oldRoot, ...proof] : proof
  if (first === undefined) return false
  let place = old - 1
  let last = size - 1
  while (isOdd(place)) [place, last] = [half(place), half(last)]
  let before = first
  let after = first
  for (const sibling of rest) {
    if (last === 0) return false
    if (isOdd(place) || place === last) {
      before = hash.node(sibling, before)
      after = hash.node(sibling, after)
      while (!isOdd(place) && place !== 0) [place, last] = [half(place), half(last)]
    } else {
      after = hash.node(after, sibling)
    }
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 && sameBytes(before, oldRoot) && sameBytes(after, root)
}

const isOdd = (value: number): boolean => value % 2 === 1
const half = (value: number): number => Math.floor(value / 2)
const isPlace = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isHash = (bytes: Uint8Array): boolean => bytes.length === hashLength
