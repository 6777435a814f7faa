import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { lstat, readFile, readlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { programPath, whyNoErofsTools } from '../../../../tests/engine/requirements.ts'
import { readErofs } from '../../testing/read-erofs.ts'
import { type ErofsEntry, writeErofs } from './erofs-entries.ts'
import { deviceNumber } from './on-disk.ts'
import { byteText } from './tree.ts'

let directory = ''
let files = 0
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'aegis-erofs-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const newPath = () => join(directory, `${files++}.erofs`)

const uint32 = fc.nat({ max: 0xffff_ffff })
const attributes = fc.record({
  mode: fc.nat({ max: 0o7777 }),
  uid: uint32,
  gid: uint32,
  mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  mtimeNanoseconds: fc.nat({ max: 999_999_999 }),
})
const name = fc.oneof(
  fc.constantFrom('a', 'b', '!', '.hidden', '..x', 'é', 'z'.repeat(255)),
  fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter(isName),
)
/** Around the ends of blocks, where mistakes are made. */
const length = fc.oneof(
  fc.nat({ max: 20_000 }),
  fc.constantFrom(0, 1, 2047, 2048, 2049, 4031, 4032, 4033, 4095, 4096, 4097, 8192, 6144, 6145),
)
const kinds = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const) }),
  fc.record({
    kind: fc.constant('file' as const),
    content: fc
      .tuple(length, fc.nat({ max: 255 }))
      .map(([bytes, fill]) => Buffer.alloc(bytes, fill)),
  }),
  fc.record({
    kind: fc.constant('symlink' as const),
    target: fc.oneof(fc.constantFrom('a', '../b', 't'.repeat(4095)), fc.string({ minLength: 1 })),
  }),
  fc.record({
    kind: fc.constantFrom('character' as const, 'block' as const),
    major: fc.nat({ max: 0xfff }),
    minor: fc.nat({ max: 0xfffff }),
  }),
  fc.record({ kind: fc.constantFrom('fifo' as const, 'socket' as const) }),
)
/** Whose paths are distinct, and lead through no file. */
const entries: fc.Arbitrary<readonly ErofsEntry[]> = fc
  .array(fc.tuple(fc.array(name, { maxLength: 3 }), name, kinds, attributes), { maxLength: 60 })
  .map((all) => {
    const taken = new Map<string, string>()
    return all.flatMap(([parents, last, kind, about]): ErofsEntry[] => {
      const names = [...parents, last]
      const prefixes = names.map((_, index) => names.slice(0, index + 1).join('/'))
      const path = prefixes.at(-1) ?? ''
      const isFree = prefixes.every((one) => (taken.get(one) ?? 'directory') === 'directory')
      if (!isFree || taken.has(path)) return []
      for (const one of prefixes) taken.set(one, 'directory')
      taken.set(path, kind.kind)
      return [{ path, ...kind, ...about }]
    })
  })

function isName(text: string): boolean {
  return !/[/\0]/.test(text) && text !== '.' && text !== '..' && Buffer.byteLength(text) <= 255
}

const write = async (all: readonly ErofsEntry[]): Promise<Buffer> => {
  const path = newPath()
  await writeErofs(path, all)
  const image = readFileSync(path)
  rmSync(path)
  return image
}

describe('an image of EROFS', () => {
  it('gives back every entry as it was, with its owner, mode and time', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (all) => {
        const read = readErofs(await write(all))
        for (const entry of all) {
          const { kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = entry
          const found = read.get(`/${byteText(entry.path)}`)
          expect(found).toMatchObject({ kind, mode, uid, gid, mtimeSeconds, mtimeNanoseconds })
          if (entry.kind === 'file') expect(found?.content.equals(entry.content)).toBe(true)
          if (entry.kind === 'symlink') expect(found?.content.toString()).toBe(entry.target)
          if (entry.kind === 'character' || entry.kind === 'block')
            expect(found?.device).toBe(deviceNumber(entry.major, entry.minor))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('is the same bytes for the same entries, whatever their order', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (all) => {
        const directories = all.filter(({ kind }) => kind === 'directory')
        const rest = all.filter(({ kind }) => kind !== 'directory')
        const image = await write([...directories, ...rest])
        expect(image.equals(await write([...rest, ...directories.toReversed()]))).toBe(true)
      }),
      { numRuns: 20 },
    )
  })

  it('keeps a file once that has several names', async () => {
    const read = readErofs(
      await write([
        { kind: 'file', path: 'a', content: Buffer.from('twice') },
        { kind: 'link', path: 'deep/b', to: 'a' },
      ]),
    )
    expect(read.get('/deep/b')).toEqual(read.get('/a'))
    expect(read.get('/a')?.links).toBe(2)
  })

  it('finds its root even when that is a directory of megabytes', async () => {
    const all = Array.from({ length: 50_000 }, (_, index): ErofsEntry => {
      return { kind: 'fifo', path: `${'long-name-'.repeat(10)}${index}` }
    })
    const read = readErofs(await write(all))
    expect(read.size).toBe(all.length + 1)
  })

  it('holds a tree that is deeper than the stack of calls', async () => {
    const path = newPath()
    await writeErofs(path, [{ kind: 'fifo', path: `${'d/'.repeat(2000)}end` }])
    expect(statSync(path).size).toBeGreaterThan(0)
  })

  it('refuses a hard link to what is not there, or is a directory', async () => {
    for (const to of ['nothing', 'd'])
      await expect(
        writeErofs(newPath(), [
          { kind: 'directory', path: 'd' },
          { kind: 'link', path: 'l', to },
        ]),
      ).rejects.toMatchObject({ code: 'image.path' })
  })
})

const why = whyNoErofsTools()

// Node makes no device nodes or owners without root.
describe.skipIf(why)(`the tools of EROFS itself${why ? ` (${why})` : ''}`, () => {
  it('find nothing wrong with it, and unpack the same files', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (all) => {
        const [path, out] = [newPath(), newPath()]
        await writeErofs(path, all)
        execFileSync(programPath('fsck.erofs') ?? '', [`--extract=${out}`, '--no-preserve', path], {
          stdio: 'pipe',
        })
        for (const entry of all) {
          const at = Buffer.from(join(out, entry.path))
          if (entry.kind === 'file') expect((await readFile(at)).equals(entry.content)).toBe(true)
          if (entry.kind === 'symlink') expect(await readlink(at)).toBe(entry.target)
          if (entry.kind === 'directory') expect((await lstat(at)).isDirectory()).toBe(true)
        }
        rmSync(out, { recursive: true, force: true })
      }),
      { numRuns: 15 },
    )
  })
})
