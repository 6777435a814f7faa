import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readErofs } from '../testing/read-erofs.ts'
import {
  configOf,
  dockerArchive,
  layoutArchive,
  piecesOf,
  sha256,
  type TestImage,
  tarOf,
} from '../testing/tar-of.ts'
import type { ArchiveLimits } from './archive/archive-limits.ts'
import { convertArchive } from './convert-archive.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'aegis-convert-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const never = new AbortController().signal
const layers = [
  tarOf([
    { path: 'etc/', type: '5', mode: 0o755, mtime: 7 },
    { path: 'etc/name', content: 'lower', uid: 1000, gid: 1001, mode: 0o4750, mtime: 8 },
    { path: 'gone', content: 'x'.repeat(9000) },
  ]),
  tarOf([
    { path: '.wh.gone' },
    { path: 'big', content: 'y'.repeat(70_001) },
    { path: 'etc/same', type: '1', linkPath: 'etc/name' },
  ]),
]
const image: TestImage = { layers, names: ['agent:1'], env: ['A=1', 'AEGIS_X=no', 'PATH=/bin'] }

async function convert(
  archive: Buffer,
  options: { readonly image?: string; readonly limits?: Partial<ArchiveLimits> } = {},
) {
  const work = mkdtempSync(join(directory, 'work-'))
  const stream = piecesOf(archive, 10_007)
  const to = { archive: stream, directory: work, architecture: 'amd64', ...options }
  const converted = await convertArchive(to, never)
  return { ...converted, bytes: readFileSync(converted.path) }
}

describe('the disk of an image', () => {
  it('holds what a container of it would see, exactly', async () => {
    const { bytes, image: found } = await convert(dockerArchive(image))
    const read = readErofs(bytes)
    expect([...read.keys()].sort()).toEqual(['', '/big', '/etc', '/etc/name', '/etc/same'])
    expect(read.get('/etc/name')).toMatchObject({
      mode: 0o4750,
      uid: 1000,
      gid: 1001,
      mtimeSeconds: 8,
      links: 2,
    })
    expect(read.get('/big')?.content.toString()).toBe('y'.repeat(70_001))
    expect(found.id).toBe(sha256(configOf(image)))
    expect(found.references).toEqual(['agent:1'])
  })

  it('is the same bytes whatever the image came in', async () => {
    const [first, ...others] = await Promise.all(
      [
        dockerArchive(image),
        layoutArchive(image),
        dockerArchive({ ...image, pack: (layer) => gzipSync(layer) }),
        layoutArchive({ ...image, pack: (layer) => zstdCompressSync(layer) }),
        gzipSync(dockerArchive(image)),
        zstdCompressSync(layoutArchive(image)),
      ].map(async (archive) => (await convert(archive)).bytes),
    )
    for (const other of others) expect(first?.equals(other)).toBe(true)
  })

  it('is written once where the archive has the files as the image does, and else the same', async () => {
    const [one, two] = [
      tarOf([
        { path: 'a', content: 'a'.repeat(5000) },
        { path: 'b', content: 'b'.repeat(3000) },
      ]),
      tarOf([{ path: 'c' }, { path: 'd', content: 'd'.repeat(9000) }]),
    ]
    const config = configOf({ layers: [one, two] })
    const manifest = [{ Config: 'config.json', RepoTags: null, Layers: ['one', 'two'] }]
    const documents = [
      { path: 'config.json', content: config },
      { path: 'manifest.json', content: JSON.stringify(manifest) },
    ]
    const cutOff = tarOf([{ path: 'x', content: 'x'.repeat(9000) }]).subarray(0, 2000)
    const [straight, ...others] = await Promise.all(
      [
        [
          { path: 'one', content: one },
          { path: 'two', content: two },
        ],
        [
          { path: 'two', content: two },
          { path: 'one', content: one },
        ],
        [
          { path: 'one', content: one },
          { path: 'of-no-image', content: cutOff },
          { path: 'two', content: two },
        ],
        [
          { path: 'one', content: gzipSync(one) },
          { path: 'two', content: two },
        ],
      ].map((files) => convert(tarOf([...files, ...documents]))),
    )
    expect(readdirSync(dirname(straight?.path ?? ''))).toEqual(['archive.tar', 'image.erofs'])
    expect(readErofs(straight?.bytes ?? Buffer.alloc(0)).get('/d')?.content).toHaveLength(9000)
    for (const other of others) {
      expect(readdirSync(dirname(other.path))).toContain('ordered.erofs')
      expect(straight?.bytes.equals(other.bytes)).toBe(true)
    }
  })

  it('has the content of every file, whatever its length, its layer and its turn', async () => {
    const length = fc.oneof(
      fc.nat({ max: 12_000 }),
      fc.constantFrom(0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 8192, 6145),
    )
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'dir/g', 'dir/h')
    const file = fc.record({ path: name, bytes: length, fill: fc.nat({ max: 255 }) })
    const someLayers = fc.array(fc.array(file, { maxLength: 6 }), { minLength: 1, maxLength: 3 })
    const turns = fc.array(fc.nat({ max: 9 }), { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(someLayers, turns, fc.nat({ max: 7 }), async (all, order, packed) => {
        const tars = all.map((files) =>
          tarOf(
            files.map(({ path, bytes, fill }) => ({ path, content: Buffer.alloc(bytes, fill) })),
          ),
        )
        const expected = new Map(
          all.flat().map(({ path, bytes, fill }) => [`/${path}`, Buffer.alloc(bytes, fill)]),
        )
        const config = configOf({ layers: tars })
        const names = tars.map((_, index) => `layer${index}`)
        const manifest = [{ Config: 'config.json', RepoTags: null, Layers: names }]
        const entries = tars
          .map((tar, index) => ({
            path: `layer${index}`,
            content: packed & (1 << index) ? gzipSync(tar) : tar,
            turn: order[index] ?? 0,
          }))
          .sort((one, other) => one.turn - other.turn)
        const { bytes } = await convert(
          tarOf([
            ...entries,
            { path: 'config.json', content: config },
            { path: 'manifest.json', content: JSON.stringify(manifest) },
          ]),
        )
        const files = [...readErofs(bytes)].filter(([, { kind }]) => kind === 'file')
        expect(new Map(files.map(([path, { content }]) => [path, content]))).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  it('takes a layer that Docker before 25 shares among images by a link', async () => {
    const [lower = Buffer.alloc(0)] = layers
    const config = configOf({ layers: [lower, lower] })
    const name = `${sha256(config).slice(7)}.json`
    const manifest = [{ Config: name, RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] }]
    const { inodes } = await convert(
      tarOf([
        { path: 'a/layer.tar', content: lower },
        { path: 'b/layer.tar', type: '2', linkPath: '../a/layer.tar' },
        { path: name, content: config },
        { path: 'manifest.json', content: JSON.stringify(manifest) },
      ]),
    )
    expect(inodes).toBe(4)
  })

  it('is made of the image that was named, where an archive holds several', async () => {
    const other: TestImage = { layers: [tarOf([{ path: 'other' }])] }
    const files = [image, other].map((one, index) => {
      const config = configOf(one)
      return {
        entries: [
          ...one.layers.map((content, layer) => ({ path: `${index}/${layer}.tar`, content })),
          { path: `${index}.json`, content: config },
        ],
        manifest: {
          Config: `${index}.json`,
          RepoTags: [`image:${index}`],
          Layers: one.layers.map((_, layer) => `${index}/${layer}.tar`),
        },
        id: sha256(config),
      }
    })
    const archive = tarOf([
      ...files.flatMap(({ entries }) => entries),
      { path: 'manifest.json', content: JSON.stringify(files.map(({ manifest }) => manifest)) },
    ])
    await expect(convert(archive)).rejects.toThrow(/several images.*image:0, image:1/)
    await expect(convert(archive, { image: 'image:2' })).rejects.toThrow(/not among/)
    for (const { id, manifest } of files) {
      expect((await convert(archive, { image: id })).image.id).toBe(id)
      expect((await convert(archive, { image: manifest.RepoTags[0] ?? '' })).image.id).toBe(id)
    }
  })

  const refused: readonly (readonly [string, () => Buffer, string])[] = [
    ['an archive that is none', () => Buffer.from('hello'), 'image.archive'],
    ['an empty one', () => Buffer.alloc(0), 'image.archive'],
    ['a tar without an image', () => tarOf([{ path: 'a', content: 'b' }]), 'image.archive'],
    [
      'a layer that was changed',
      () => dockerArchive({ ...image, pack: () => tarOf([{ path: 'evil' }]) }),
      'image.archive',
    ],
    [
      'a packed layer that unpacks to something else',
      () => dockerArchive({ ...image, pack: () => gzipSync(tarOf([{ path: 'evil' }])) }),
      'image.archive',
    ],
    [
      'a packed layer that is cut off',
      () => dockerArchive({ ...image, pack: (layer) => gzipSync(layer).subarray(0, 40) }),
      'image.archive',
    ],
    ['an archive that is cut off', () => dockerArchive(image).subarray(0, 20_000), 'image.archive'],
    [
      'a blob whose name is not its digest',
      () => {
        const archive = layoutArchive(image)
        const at = archive.indexOf('yyyy')
        archive.write('z', at)
        return archive
      },
      'image.archive',
    ],
    [
      'another machine’s image',
      () => dockerArchive({ ...image, architecture: 'arm64' }),
      'image.platform',
    ],
    [
      'a path that leaves it',
      () => dockerArchive({ layers: [tarOf([{ path: '../../etc/cron.d/x', content: 'x' }])] }),
      'image.path',
    ],
    [
      'a file beneath a link',
      () =>
        dockerArchive({
          layers: [
            tarOf([
              { path: 'l', type: '2', linkPath: '/etc' },
              { path: 'l/x', content: 'x' },
            ]),
          ],
        }),
      'image.layer',
    ],
    [
      'a configuration that is no JSON',
      () =>
        tarOf([
          { path: 'c', content: '{' },
          { path: 'manifest.json', content: '[{"Config":"c","RepoTags":null,"Layers":[]}]' },
        ]),
      'image.archive',
    ],
    [
      'documents that never end',
      () => tarOf([{ path: 'manifest.json', content: ' '.repeat(5 << 20) }]),
      'image.archive',
    ],
  ]
  it.each(refused)('is not made of %s', async (_, archive, code) => {
    await expect(convert(archive())).rejects.toMatchObject({ code })
  })

  it('is not made of an image that unpacks to more than it may', async () => {
    const bomb = dockerArchive({
      layers: [tarOf([{ path: 'zeros', content: Buffer.alloc(8 << 20) }])],
      pack: (layer) => gzipSync(layer),
    })
    expect(bomb.length).toBeLessThan(100_000)
    await expect(convert(bomb, { limits: { maxBytes: 1 << 20 } })).rejects.toMatchObject({
      code: 'image.too-large',
    })
    const layer = tarOf([{ path: 'a' }, { path: 'b' }, { path: 'c' }])
    const many = dockerArchive({ layers: [layer] })
    for (const limits of [{ maxInodes: 2 }, { maxMemberBytes: 600 }])
      await expect(convert(many, { limits })).rejects.toMatchObject({ code: 'image.too-large' })
  })

  it('writes nothing but in the directory it was given', async () => {
    await convert(dockerArchive({ ...image, pack: (layer) => gzipSync(layer) }))
    expect(readdirSync(directory)).toHaveLength(1)
  })

  it('ends at once when nobody wants it any more', async () => {
    const stop = new AbortController()
    async function* endless(): AsyncIterable<Uint8Array> {
      yield dockerArchive(image).subarray(0, 5000)
      stop.abort()
      for (;;) yield Buffer.alloc(1000)
    }
    const to = { archive: endless(), directory, architecture: 'amd64' }
    await expect(convertArchive(to, stop.signal)).rejects.toMatchObject({ name: 'AbortError' })
  })
})
