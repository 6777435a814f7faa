import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type TarEntry, tarOf } from './tar-archive.ts'

const tar = (...words: readonly string[]) => [
  '--quoting-style=literal',
  '--numeric-owner',
  ...words,
]
const list = (entries: readonly TarEntry[]) =>
  execFileSync('tar', tar('-tvf', '-'), {
    input: tarOf(entries),
    encoding: 'utf8',
    env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH },
  })
const contentOf = (entries: readonly TarEntry[], path: string) =>
  execFileSync('tar', tar('-xOf', '-', path), { input: tarOf(entries) })

const file = { mode: 0o640, uid: 65_532, gid: 65_532 }

it('is what tar reads: directories, modes and owners', () => {
  const entries = [
    { path: 'a/', mode: 0o755, uid: 0, gid: 0 },
    { ...file, path: 'a/b', content: Buffer.from('hello') },
  ]
  const [directory, inside] = list(entries).trim().split('\n')
  expect(directory).toMatch(/^drwxr-xr-x 0\/0 .* a\/$/)
  expect(inside).toMatch(/^-rw-r----- 65532\/65532 +5 .* a\/b$/)
})

it('has room for long and odd names, and for large user numbers', () => {
  const path = `${'directory/'.repeat(30)}grüße 日本 ${'x'.repeat(200)}`
  const entries = [
    { path, content: Buffer.from('x'), mode: 0o644, uid: 1_900_000_001, gid: 4_000_000_000 },
  ]
  expect(list(entries)).toContain('1900000001/4000000000')
  expect(list(entries).trim().endsWith(path)).toBe(true)
})

it('carries any content unchanged', () => {
  const content = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(content, content, (one, two) => {
      const entries = [
        { ...file, path: 'one', content: one },
        { ...file, path: 'two', content: two },
      ]
      expect(tarOf(entries).length % 512).toBe(0)
      expect(contentOf(entries, 'two').equals(two)).toBe(true)
    }),
    { numRuns: 25 },
  )
})
