import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PolicyFile, PolicyReview } from '@aegis/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { fakeContext } from '../testing/fake-context.ts'
import { checkPolicies } from './check-policies.ts'

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'aegis-check-'))
  mkdirSync(join(cwd, 'policies'))
  writeFileSync(join(cwd, 'policies', 'b.cedar'), 'b')
  writeFileSync(join(cwd, 'policies', 'a.cedar'), 'a')
  writeFileSync(join(cwd, 'policies', 'notes.txt'), 'n')
  writeFileSync(join(cwd, 'one.cedar'), 'one')
})
afterEach(() => rmSync(cwd, { recursive: true }))

const sound: PolicyReview = { problems: [], warnings: [], policies: 2, refused: [] }

function setUp(review: PolicyReview, options: { readonly json?: boolean } = {}) {
  const asked: { readonly files: readonly PolicyFile[]; readonly options: unknown }[] = []
  const { context, terminal } = fakeContext(
    {
      policies: {
        check: async (files, given) => {
          asked.push({ files, options: given })
          return review
        },
      },
    },
    options,
  )
  return {
    context: { ...context, cwd, settings: { home: cwd }, env: {} } as typeof context,
    terminal,
    asked,
  }
}

it('checks files, and folders with all their policies, by their names', async () => {
  const { context, terminal, asked } = setUp(sound)
  expect(await checkPolicies(context, ['one.cedar', 'policies'], {})).toBe(0)
  expect(asked).toEqual([
    {
      files: [
        { name: 'one.cedar', text: 'one' },
        { name: 'a.cedar', text: 'a' },
        { name: 'b.cedar', text: 'b' },
      ],
      options: { againstAgents: false },
    },
  ])
  expect(terminal.stdout()).toBe('2 policies in 3 files: no errors\n')
})

it('checks the folder of the node where none is named', async () => {
  const { context, asked } = setUp(sound)
  await checkPolicies(context, [], { againstAgents: true })
  expect(asked[0]?.files.map(({ name }) => name)).toEqual(['a.cedar', 'b.cedar'])
  expect(asked[0]?.options).toEqual({ againstAgents: true })
})

it('shows mistakes with their places, and exits with 2', async () => {
  const problems = [{ file: 'one.cedar', line: 1, column: 3, message: 'unexpected' }]
  const { context, terminal } = setUp({ ...sound, problems, policies: 0 })
  expect(await checkPolicies(context, ['one.cedar'], {})).toBe(2)
  expect(terminal.stderr()).toBe('error one.cedar:1:3: unexpected\n')
  expect(terminal.stdout()).toBe('1 error in 0 policies in 1 file\n')
})

it('shows which agents would be refused, and exits with 6', async () => {
  const { context, terminal } = setUp({
    ...sound,
    refused: [{ agent: 'coder', because: 'Too much.' }],
  })
  expect(await checkPolicies(context, ['one.cedar'], { againstAgents: true })).toBe(6)
  expect(terminal.stdout()).toContain('refused coder: Too much.')
})

it('says which file there is not', async () => {
  const { context } = setUp(sound)
  await expect(checkPolicies(context, ['none.cedar'], {})).rejects.toMatchObject({
    code: 'file.unreadable',
  })
})
