import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readPage, root, tableRows } from './documents.ts'

interface Proof {
  readonly file: string
  readonly name: string
}

const claims = tableRows(readPage('docs/security.md'))
  .filter(([, proof = '']) => proof.includes('.ts`'))
  .map(([claim = '', proof = '']) => ({ claim, proofs: proofsIn(proof) }))

it.each(claims)('there is a test that $claim', ({ proofs }) => {
  expect(proofs.length).toBeGreaterThan(0)
  expect(proofs.filter((proof) => !isThere(proof))).toEqual([])
})

it('finds every row of the tables of claims', () => {
  expect(claims.length).toBeGreaterThan(40)
  expect(
    isThere({ file: 'tests/docs/proofs.test.ts', name: ['no', 'such', 'test'].join(' ') }),
  ).toBe(false)
})

/** Of the form: `file`: *name*, *name*; `file`: *name*. An underscore does as well as a star. */
function proofsIn(cell: string): readonly Proof[] {
  return cell.split(/;\s*(?=`)/).flatMap((part) => {
    const [, file = '', names = ''] = /^`([^`]+)`: (.+)$/.exec(part) ?? []
    return [...names.matchAll(/([*_])(.+?)\1(?=, |$)/g)].map(([, , name = '']) => ({ file, name }))
  })
}

/** The name begins a quoted text, alone or behind the subject that a contract puts before it. */
function isThere({ file, name }: Proof): boolean {
  if (!existsSync(join(root, file))) return false
  const text = readFileSync(join(root, file), 'utf8')
  return ["'", '"', '`', '}: '].some((before) => text.includes(`${before}${name}`))
}
