import { hash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { growInMemory } from '../testing/grown-tree.ts'
import { naiveConsistency, naiveInclusion, naiveRoot } from '../testing/naive-tree.ts'
import { makeMerkleHash } from './merkle-hash.ts'
import { isConsistent, proveConsistency, proveInclusion, rootOfInclusion } from './merkle-proof.ts'
import { emptyHead, growTree, rootOf } from './tree-head.ts'

const merkle = makeMerkleHash((data) => hash('sha256', data, 'buffer'))
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex')
const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => merkle.leaf(Buffer.from(`entry ${index}`)))

const largest = 700
const leaves = leavesOf(largest)
const { head, tree } = growInMemory(merkle, leaves)

describe('a tree', () => {
  it('has the roots that Certificate Transparency gives as examples', () => {
    const entries = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ].map((entry) => merkle.leaf(Buffer.from(entry, 'hex')))
    const { head } = growInMemory(merkle, entries)
    expect(hex(rootOf(merkle, head))).toBe(
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    )
    expect(hex(rootOf(merkle, emptyHead))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
  })

  it('has the root of the definition at every size, however it grew', () => {
    let grown = emptyHead
    for (let size = 0; size <= largest; size += 1) {
      expect(hex(rootOf(merkle, grown))).toBe(hex(naiveRoot(merkle, leaves.slice(0, size))))
      expect(grown.size).toBe(size)
      const next = leaves.slice(size, size + 1)
      grown = growTree(merkle, grown, next, () => undefined)
    }
    fc.assert(
      fc.property(fc.array(fc.nat(90), { maxLength: 8 }), (steps) => {
        let batched = emptyHead
        for (const step of steps) {
          const more = leaves.slice(batched.size, batched.size + step)
          batched = growTree(merkle, batched, more, () => undefined)
        }
        const naive = naiveRoot(merkle, leaves.slice(0, batched.size))
        expect(hex(rootOf(merkle, batched))).toBe(hex(naive))
      }),
    )
  })

  it('gives the head of every earlier size back from its tiles', async () => {
    for (let size = 0; size <= largest; size += 1) {
      const root = rootOf(merkle, await tree(largest).head(size))
      expect(hex(root)).toBe(hex(naiveRoot(merkle, leaves.slice(0, size))))
    }
    expect(await tree(largest).head(largest)).toEqual(head)
  })

  it('stores each hash of its tiles once, and above 256 of them one of the next level', () => {
    const stored: string[] = []
    growTree(merkle, emptyHead, leavesOf(70_000), (level, index) =>
      stored.push(`${level}/${index}`),
    )
    expect(new Set(stored).size).toBe(stored.length)
    const count = (level: number) => stored.filter((key) => key.startsWith(`${level}/`)).length
    expect([count(0), count(1), count(2), count(3)]).toEqual([70_000, 273, 1, 0])
  })
})

describe('an inclusion proof', () => {
  it('is the one of the definition, and leads to the root, for every entry of every size', async () => {
    for (let size = 1; size <= 300; size += 1) {
      const root = hex(naiveRoot(merkle, leaves.slice(0, size)))
      const stored = tree(size)
      for (const index of new Set([0, 1, size >> 1, 255, 256, size - 2, size - 1])) {
        const leaf = leaves[index]
        if (index < 0 || index >= size || leaf === undefined) continue
        const proof = await proveInclusion(stored, index, size)
        expect(proof.map(hex)).toEqual(
          naiveInclusion(merkle, index, leaves.slice(0, size)).map(hex),
        )
        expect(hex(rootOfInclusion(merkle, { index, size, leaf, proof }))).toBe(root)
      }
    }
  })

  it('leads nowhere near the root when anything about it is changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: largest }).chain((size) =>
          fc.record({
            size: fc.constant(size),
            index: fc.nat(size - 1),
            change: fc.constantFrom('leaf', 'index', 'flip', 'drop', 'add', 'swap', 'short'),
            at: fc.nat(),
          }),
        ),
        async ({ size, index, change, at }) => {
          const root = hex(rootOf(merkle, await tree(size).head(size)))
          const proof = [...(await proveInclusion(tree(size), index, size))]
          const leaf = leaves[index] ?? merkle.empty
          const claim = { index, size, leaf, proof }
          const place = at % proof.length
          const changed = Uint8Array.from(proof[place] ?? [])
          changed[at % 32] = (changed[at % 32] ?? 0) ^ (1 << (at % 8))
          const altered = {
            leaf: { ...claim, leaf: merkle.leaf(Buffer.from('another')) },
            index: { ...claim, index: (index + 1 + (at % (size - 1))) % size },
            flip: { ...claim, proof: proof.with(place, changed) },
            drop: { ...claim, proof: proof.toSpliced(place, 1) },
            add: { ...claim, proof: proof.toSpliced(place, 0, merkle.empty) },
            swap: { ...claim, proof: [...proof].reverse() },
            short: { ...claim, proof: proof.with(place, changed.subarray(1)) },
          }[change]
          if (change === 'swap' && proof.length < 2) return
          expect(hex(rootOfInclusion(merkle, altered))).not.toBe(root)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('is for an entry of the tree', () => {
    const claim = { index: 0, size: 1, leaf: merkle.empty, proof: [] }
    expect(rootOfInclusion(merkle, claim)).toEqual(merkle.empty)
    for (const wrong of [
      { index: 1 },
      { index: -1 },
      { index: 0.5 },
      { size: 0 },
      { size: Number.NaN },
      { size: 2 ** 60 },
    ]) {
      expect(rootOfInclusion(merkle, { ...claim, ...wrong })).toBeUndefined()
    }
  })
})

describe('a consistency proof', () => {
  it('is the one of the definition, and shows that one tree begins with the other', async () => {
    for (let size = 0; size <= 150; size += 1) {
      const root = naiveRoot(merkle, leaves.slice(0, size))
      for (let old = 0; old <= size; old += 1) {
        const oldRoot = naiveRoot(merkle, leaves.slice(0, old))
        const proof = await proveConsistency(tree(size), old, size)
        if (old > 0) {
          expect(proof.map(hex)).toEqual(
            naiveConsistency(merkle, old, leaves.slice(0, size)).map(hex),
          )
        }
        expect(isConsistent(merkle, { old, oldRoot, size, root, proof })).toBe(true)
      }
    }
  })

  it('does not fit a tree with another history', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 600 }),
        fc.nat(),
        fc.nat(),
        async (size, from, where) => {
          const old = 1 + (from % (size - 1))
          const other = leaves.slice(0, size).with(where % old, merkle.leaf(Buffer.from('other')))
          const forked = growInMemory(merkle, other)
          const oldRoot = rootOf(merkle, await tree(old).head(old))
          const root = rootOf(merkle, forked.head)
          const proof = await proveConsistency(forked.tree(size), old, size)
          expect(isConsistent(merkle, { old, oldRoot, size, root, proof })).toBe(false)
          const shorter = { old: size, oldRoot: root, size: old, root: oldRoot, proof }
          expect(isConsistent(merkle, shorter)).toBe(false)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('does not fit when a hash of it is changed, dropped or added', async () => {
    const [old, size] = [300, 611]
    const oldRoot = rootOf(merkle, await tree(old).head(old))
    const root = rootOf(merkle, await tree(size).head(size))
    const proof = await proveConsistency(tree(size), old, size)
    const claim = { old, oldRoot, size, root }
    for (const place of proof.keys()) {
      for (const altered of [
        proof.with(place, merkle.empty),
        proof.toSpliced(place, 1),
        proof.toSpliced(place, 0, merkle.empty),
      ]) {
        expect(isConsistent(merkle, { ...claim, proof: altered })).toBe(false)
      }
    }
    expect(isConsistent(merkle, { ...claim, proof: [] })).toBe(false)
  })
})
