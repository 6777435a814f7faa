import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TestEntry, tarOf } from '../../testing/tar-of.ts'
import { makeTarScanner, type TarMember } from './tar-scanner.ts'

function scan(archive: Buffer, pieceBytes = archive.length) {
  const members: TarMember[] = []
  const contents: Buffer[] = []
  let open: Buffer[] = []
  const scanner = makeTarScanner({
    member: (member) => members.push(member),
    content: (bytes) => open.push(Buffer.from(bytes)),
    memberEnd: () => {
      contents.push(Buffer.concat(open))
      open = []
    },
  })
  for (let at = 0; at < archive.length; at += pieceBytes)
    scanner.push(archive.subarray(at, at + pieceBytes))
  scanner.end()
  return { members, contents }
}

const refused = expect.objectContaining({ code: 'image.archive' })

const letters = fc.stringMatching(/^[\x21-\x2e\x30-\xff]{1,60}$/)
const entry: fc.Arbitrary<TestEntry> = fc.record({
  path: fc.array(letters, { minLength: 1, maxLength: 8 }).map((names) => names.join('/')),
  type: fc.constantFrom('0', '1', '2', '5', '6'),
  linkPath: fc.oneof(fc.constant(''), letters, fc.constant('l'.repeat(300))),
  mode: fc.nat({ max: 0o7777 }),
  uid: fc.oneof(fc.nat({ max: 70_000 }), fc.constant(0xffff_ffff)),
  gid: fc.nat({ max: 0o7777777 }),
  mtime: fc.nat(),
})
const withContent = fc
  .tuple(entry, fc.uint8Array({ maxLength: 1500 }))
  .map(([about, content]) => (about.type === '0' ? { ...about, content } : about))

describe('a tar archive', () => {
  it('is read as it was written, in pieces of any size, with long names of either kind', () => {
    const style = fc.constantFrom('pax' as const, 'gnu' as const)
    fc.assert(
      fc.property(
        fc.array(withContent, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 3000 }),
        style,
        (entries, pieceBytes, longNames) => {
          const archive = tarOf(entries, { longNames })
          const { members, contents } = scan(archive, pieceBytes)
          expect(members).toHaveLength(entries.length)
          for (const [index, member] of members.entries()) {
            const {
              path,
              linkPath,
              mode,
              uid,
              gid,
              mtime = 0,
              content,
            } = entries[index] ?? { path: '' }
            expect(member).toMatchObject({ path, linkPath, mode, uid, gid, mtimeSeconds: mtime })
            const bytes = Buffer.from(content ?? '')
            expect(contents[index]).toEqual(bytes)
            const { offset, sizeBytes } = member
            expect(archive.subarray(offset, offset + sizeBytes)).toEqual(bytes)
          }
        },
      ),
    )
  })

  it('is refused or read, whatever bytes it consists of', () => {
    const archive = tarOf([{ path: 'a', content: 'b'.repeat(700) }, { path: 'l'.repeat(200) }])
    const damage = fc.array(fc.tuple(fc.nat({ max: archive.length - 1 }), fc.nat({ max: 255 })), {
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 3000 }), damage), (how) => {
        const bytes = Buffer.from(how instanceof Uint8Array ? how : archive)
        if (!(how instanceof Uint8Array)) for (const [at, value] of how) bytes[at] = value
        try {
          scan(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(AegisError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('takes times with fractions, before the epoch too, and numbers that no octal digits hold', () => {
    const times = [
      ['1.5', 1, 500_000_000],
      ['-1.25', -2, 750_000_000],
      ['-7', -7, 0],
      ['0.1234567891', 0, 123_456_789],
    ] as const
    for (const [mtime, mtimeSeconds, mtimeNanoseconds] of times)
      expect(scan(tarOf([{ path: 'a', pax: { mtime } }])).members).toMatchObject([
        { mtimeSeconds, mtimeNanoseconds },
      ])
    expect(scan(tarOf([{ path: 'a', pax: { uid: '4294967295' } }])).members).toMatchObject([
      { uid: 0xffff_ffff },
    ])
  })

  it('may lack its end, and is over at it', () => {
    const one = { path: 'a', content: 'x' }
    expect(scan(tarOf([one], { endBlocks: 0 })).members).toHaveLength(1)
    expect(scan(tarOf([one], { endBlocks: 1 })).members).toHaveLength(1)
    const more = Buffer.concat([tarOf([one]), tarOf([one])])
    expect(scan(more).members).toHaveLength(1)
  })

  it('is refused when it ends within an entry, whose size was a lie', () => {
    expect(() => scan(tarOf([{ path: 'a', content: 'x', size: 5000 }]))).toThrow(refused)
    expect(() => scan(tarOf([{ path: 'a', pax: { size: '99999999999' } }]))).toThrow(refused)
    expect(() => scan(Buffer.alloc(0))).toThrow(refused)
    expect(() => scan(Buffer.alloc(100))).toThrow(refused)
  })

  it('is refused with entries that mean nothing to a file system, or have holes', () => {
    for (const type of ['S', 'M', 'V', 'D', '\x7f'])
      expect(() => scan(tarOf([{ path: 'a', type }]))).toThrow(refused)
    expect(() => scan(tarOf([{ path: 'a', pax: { 'GNU.sparse.major': '1' } }]))).toThrow(refused)
  })

  it('is refused with an extended header that is damaged, or longer than a megabyte', () => {
    const header = (content: string | Buffer) =>
      tarOf([{ path: 'p', type: 'x', content }, { path: 'a' }])
    for (const body of [
      '7 a=b\n',
      '99 path=x\n',
      'path=x\n',
      '0 a=b\n',
      '6 a=b\t',
      '12 uid=12x4\n',
    ])
      expect(() => scan(header(body))).toThrow(refused)
    expect(() => scan(header(Buffer.alloc((1 << 20) + 1)))).toThrow(refused)
  })

  it('does not believe what a link or a directory says of its size', () => {
    const archive = tarOf([{ path: 'd', type: '5', size: 4096 }, { path: 'after' }])
    expect(scan(archive).members.map(({ path }) => path)).toEqual(['d', 'after'])
  })
})
