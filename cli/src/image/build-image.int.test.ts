import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ImageBuild } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { anImage, aProgress } from '../testing/an-image.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { buildImage } from './build-image.ts'

const image = anImage({ disk: { sizeBytes: 5 << 20, machines: 0, alone: false } })

function setUp(options: { readonly json?: boolean } = {}) {
  const asked: unknown[] = []
  const fake = fakeContext(
    {
      images: {
        prepare: async (reference, onProgress) => {
          asked.push(reference)
          onProgress(aProgress({ phase: 'converting', totalBytes: 0, downloadedBytes: 1 << 20 }))
          return image
        },
        build: async ({ archive, name }: ImageBuild) => {
          let bytes = 0
          for await (const chunk of archive) bytes += chunk.length
          asked.push({ name, bytes })
          return image
        },
      },
    },
    options,
  )
  return { ...fake, requests: asked }
}

describe('aegis image build', () => {
  it('makes the disk of an image that the engine has, and says what that took', async () => {
    const { context, terminal, requests } = setUp()
    expect(await buildImage(context, ['python:3.11'], {})).toBe(0)
    expect(requests).toEqual(['python:3.11'])
    expect(terminal.stdout()).toMatch(/^Built python:3\.11 \(disk of 5\.0 MiB, id \w+, .*\)\n$/)
    expect(terminal.stderr()).toContain('making a disk of python:3.11: 1.0 MiB')
  })

  it('says how to name an archive that was given for an image', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'aegis-build-'))
    try {
      const archive = join(directory, 'image.tar')
      await writeFile(archive, '')
      const { context, requests } = setUp()
      await expect(buildImage(context, [archive], {})).rejects.toMatchObject({
        message: expect.stringContaining(`aegis image build --from ${archive}`),
      })
      expect(requests).toEqual([])
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('sends the archive that it is given', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'aegis-build-'))
    try {
      const from = join(directory, 'image.tar')
      await writeFile(from, Buffer.alloc(3_000_000))
      const { context, requests, terminal } = setUp({ json: true })
      await buildImage(context, ['mine:1'], { from })
      expect(requests).toEqual([{ name: 'mine:1', bytes: 3_000_000 }])
      expect(JSON.parse(terminal.stdout())).toMatchObject({
        built: { disk: { size_bytes: 5 << 20 } },
      })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('sends a directory with an OCI layout as an archive, and nothing else of it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'aegis-build-'))
    try {
      const blobs = join(directory, 'blobs', 'sha256')
      await mkdir(blobs, { recursive: true })
      const { context, requests } = setUp()
      const none = buildImage(context, ['mine:1'], { from: directory })
      await expect(none).rejects.toMatchObject({ code: 'archive.unreadable' })
      await writeFile(join(directory, 'oci-layout'), '{}')
      await writeFile(join(directory, 'index.json'), '{}')
      await writeFile(join(directory, 'secret'), 'x'.repeat(5000))
      await writeFile(join(blobs, 'a'.repeat(64)), 'x'.repeat(513))
      await symlink('/etc/passwd', join(blobs, 'b'.repeat(64)))
      await buildImage(context, ['mine:1'], { from: directory })
      expect(requests).toEqual([{ name: 'mine:1', bytes: 512 * (2 + 2 + 3 + 2) }])
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('prints nothing but the id where it is to be quiet', async () => {
    const { context, terminal } = setUp()
    await buildImage(context, ['python:3.11'], { quiet: true })
    expect(terminal.stdout()).toBe(`${image.id}\n`)
    expect(terminal.stderr()).toBe('')
  })

  it('asks for an image or an archive, and for one that can be read', async () => {
    const { context } = setUp()
    await expect(buildImage(context, [], {})).rejects.toMatchObject({ code: 'image.unnamed' })
    const attempt = buildImage(context, [], { from: '/nowhere/image.tar' })
    await expect(attempt).rejects.toMatchObject({ code: 'archive.unreadable' })
  })
})
