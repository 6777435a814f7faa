import { AegisError } from '@aegis/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TestEntry, tarOf } from '../../testing/tar-of.ts'
import type { DirectoryNode } from '../erofs/tree.ts'
import { mergeLayers } from './merge-layers.ts'
import { scanLayer } from './scan-layer.ts'

const never = new AbortController().signal

/** Paths of the merged tree, with what they are. */
async function merge(...layers: (readonly TestEntry[])[]): Promise<Record<string, string>> {
  const { root: merged } = await mergeLayers(layers.map(layerOf), 1000, never)
  const found: Record<string, string> = {}
  const visit = (directory: DirectoryNode, path: string): void => {
    for (const [name, { node }] of directory.children) {
      const at = `${path}${name}`
      found[at] =
        node.kind === 'symlink' ? `-> ${node.target}` : `${node.kind} ${node.attributes.uid}`
      if (node.kind === 'directory') visit(node, `${at}/`)
    }
  }
  visit(merged, '')
  return found
}

function layerOf(entries: readonly TestEntry[]) {
  const sink = { file: () => new Uint8Array(0), content: () => undefined }
  const scan = scanLayer({ leftBytes: 1 << 30 }, sink)
  scan.push(tarOf(entries))
  const { members } = scan.finish()
  if (members instanceof AegisError) throw members
  return members
}

const directory = (path: string, uid = 0): TestEntry => ({ path, type: '5', uid })
const file = (path: string, uid = 0): TestEntry => ({ path, uid, content: path })
const symlink = (path: string, linkPath: string): TestEntry => ({ path, type: '2', linkPath })
const badLayer = { code: 'image.layer' }

describe('layers laid over one another', () => {
  it('show what the uppermost has of each path', async () => {
    expect(
      await merge([directory('d', 1), file('d/a', 1), file('b', 1)], [file('d/a', 2)]),
    ).toEqual({
      d: 'directory 1',
      'd/a': 'file 2',
      b: 'file 1',
    })
    expect(await merge([file('x')], [directory('x', 3), file('x/y')])).toEqual({
      x: 'directory 3',
      'x/y': 'file 0',
    })
    expect(await merge([directory('x'), file('x/y')], [file('x', 2)])).toEqual({ x: 'file 2' })
  })

  it('take the last of two entries with one path', async () => {
    expect(await merge([file('a', 1), file('./a', 2), file('/a', 3)])).toEqual({ a: 'file 3' })
  })

  it('lose what a layer above marks as removed, wherever the mark stands', async () => {
    const lower = [directory('d'), file('d/a'), file('d/b'), file('c')]
    expect(await merge(lower, [file('d/.wh.a'), file('.wh.c'), file('.wh.nothing')])).toEqual({
      d: 'directory 0',
      'd/b': 'file 0',
    })
    for (const upper of [
      [file('.wh.d'), directory('d', 7), file('d/new')],
      [directory('d', 7), file('d/new'), file('.wh.d')],
      [directory('d', 7), file('d/.wh..wh..opq'), file('d/new')],
      [directory('d', 7), file('d/new'), file('d/.wh..wh..opq')],
    ])
      expect(await merge(lower, upper)).toEqual({
        d: 'directory 7',
        'd/new': 'file 0',
        c: 'file 0',
      })
  })

  it('keep no notes that an engine left for itself', async () => {
    expect(await merge([directory('.wh..wh.plnk', 1), file('.wh..wh.aufs')])).toEqual({})
  })

  it('share a file among the names that hard links give it', async () => {
    const { root: merged, files } = await mergeLayers(
      [layerOf([file('a'), { path: 'b', type: '1', linkPath: 'a' }])],
      10,
      never,
    )
    expect(files).toHaveLength(1)
    expect(merged.children.get('a')?.node).toBe(merged.children.get('b')?.node)
  })

  it('hide a link of a lower layer through which a path leads, and refuse one of the same', async () => {
    expect(await merge([symlink('lib', 'usr/lib')], [file('lib/x')])).toEqual({
      lib: 'directory 0',
      'lib/x': 'file 0',
    })
    await expect(merge([symlink('etc', '/'), file('etc/passwd')])).rejects.toMatchObject(badLayer)
    await expect(merge([file('f'), file('f/x')])).rejects.toMatchObject(badLayer)
  })

  it('are refused when a path leaves the image', async () => {
    for (const path of ['../x', 'a/../../x', '/../x', 'a/..'])
      await expect(merge([file(path)])).rejects.toMatchObject({ code: 'image.path' })
    await expect(
      merge([{ path: 'l', type: '1', linkPath: '../../etc/shadow' }]),
    ).rejects.toMatchObject({ code: 'image.path' })
  })

  it('are refused for links to nothing and devices that no kernel has', async () => {
    const nothing: TestEntry = { path: 'l', type: '1', linkPath: 'nothing' }
    const device: TestEntry = { path: 'd', type: '3', major: 0o10000 }
    const empty = symlink('s', '')
    for (const entry of [nothing, device, empty, file('.wh.'), file('.wh...'), file('.wh.a/b')])
      await expect(merge([entry])).rejects.toMatchObject(badLayer)
  })

  it('are refused when they have too many files, also those that they do not name', async () => {
    const many = Array.from({ length: 1001 }, (_, index) => file(`f${index}`))
    await expect(merge(many)).rejects.toMatchObject({ code: 'image.too-large' })
    const deep = Array.from({ length: 4 }, (_, index) => file(`${index}/${'d/'.repeat(900)}f`))
    await expect(merge(deep)).rejects.toMatchObject({ code: 'image.too-large' })
  })

  it('are merged or refused, whatever they hold', async () => {
    const name = fc.constantFrom('a', 'b', '.wh.a', '.wh..wh..opq', '.', '..', '')
    const path = fc.array(name, { maxLength: 4 }).map((names) => names.join('/'))
    const entry = fc.record({
      path,
      type: fc.constantFrom('0', '1', '2', '3', '5', '6'),
      linkPath: path,
    })
    const layer = fc.array(entry, { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { maxLength: 4 }), async (layers) => {
        const found = await merge(...layers).catch((error) => {
          expect(error.code).toMatch(/^image\.(layer|path)$/)
          return {}
        })
        for (const at of Object.keys(found)) expect(at.split('/')).not.toContain('..')
        expect(Object.keys(found).some((at) => at.includes('.wh.'))).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})
