import { AegisError, type ImageSummary, type PruneResult } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { anImage, aProgress } from '../testing/an-image.ts'
import { type FakeControlPlane, fakeContext } from '../testing/fake-context.ts'
import { listImages } from './list-images.ts'
import { pruneImages } from './prune-images.ts'
import { pullImage } from './pull-image.ts'

const listing = (images: readonly ImageSummary[]): FakeControlPlane => ({
  images: { list: async () => images },
})

describe('aegis image list', () => {
  it('shows names, short ids, sizes, who needs them, and what the node fetched', async () => {
    const { context, terminal } = fakeContext(
      listing([
        anImage({ agents: ['echo', 'poet'] }),
        anImage({ references: [], digests: ['ghcr.io/a@sha256:1'], pulled: false }),
      ]),
    )
    expect(await listImages(context, [], {})).toBe(0)
    const [count, titles, first, second] = terminal.stdout().split('\n')
    expect(count).toBe('2 images:')
    expect(titles).toMatch(/^REFERENCE +ID +SIZE +AGE +PULLED +AGENTS$/)
    expect(first).toMatch(/^python:3\.11 +a{12} +120 MiB +\d+\w +yes +echo, poet$/)
    expect(second).toMatch(/^ghcr\.io\/a@sha256:1 +a{12} +120 MiB +\d+\w$/)
  })

  it('says what to do when there is none', async () => {
    const { context, terminal } = fakeContext(listing([]))
    await listImages(context, [], {})
    expect(terminal.stdout()).toBe(
      'No agent uses an image yet.\nFetch one: aegis image pull python:3.11\n',
    )
  })

  it('gives JSON in the words of the HTTP API', async () => {
    const { context, terminal } = fakeContext(listing([anImage()]), { json: true })
    await listImages(context, [], { all: true })
    expect(JSON.parse(terminal.stdout())).toMatchObject([{ size_bytes: 125829120, agents: [] }])
  })
})

describe('aegis image pull', () => {
  const pulling: FakeControlPlane = {
    images: {
      pull: async (_, onProgress) => {
        onProgress(aProgress())
        return anImage()
      },
    },
  }

  it('tells how far it is on stderr, and what it got on stdout', async () => {
    const { context, terminal } = fakeContext(pulling)
    expect(await pullImage(context, ['python:3.11'], {})).toBe(0)
    expect(terminal.stderr()).toBe('pulling python:3.11: 1 of 3 layers, 0 B of 40 MiB\n')
    expect(terminal.stdout()).toMatch(
      /^Pulled python:3\.11 \(120 MiB, id a{12}, \d+ ms\)\nDigest: python@sha256:b{64}\n$/,
    )
  })

  it('prints nothing but the id when asked to be quiet', async () => {
    const { context, terminal } = fakeContext(pulling)
    await pullImage(context, ['python:3.11'], { quiet: true })
    expect([terminal.stdout(), terminal.stderr()]).toEqual([`sha256:${'a'.repeat(64)}\n`, ''])
  })

  it('prints JSON lines as they come', async () => {
    const { context, terminal } = fakeContext(pulling, { json: true })
    await pullImage(context, ['python:3.11'], {})
    const lines = terminal.stdout().trim().split('\n')
    expect(lines.map((line) => Object.keys(JSON.parse(line)))).toEqual([['progress'], ['pulled']])
  })

  it('is given up with Ctrl-C', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { context, keyboard } = fakeContext({
      images: {
        pull: (_, __, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason))
            begin()
          }),
      },
    })
    const code = pullImage(context, ['python:3.11'], {})
    await begun
    keyboard.pressCtrlC()
    expect(await code).toBe(130)
  })

  it('leaves an error to be told as such', async () => {
    const { context } = fakeContext({
      images: {
        pull: async () => {
          throw new AegisError('not-found', 'image.absent', 'No such image')
        },
      },
    })
    await expect(pullImage(context, ['x'], {})).rejects.toMatchObject({ code: 'image.absent' })
  })
})

describe('aegis image prune', () => {
  const setUp = (
    options: { answer?: boolean; json?: boolean },
    result: PruneResult = { removed: [anImage()], freedBytes: 100 * 1024 * 1024, kept: [] },
  ) => {
    let pruned = 0
    const used = anImage({ references: ['node:18'], agents: ['echo'] })
    const foreign = anImage({ references: ['redis:7'], pulled: false })
    const fake = fakeContext(
      {
        images: {
          list: async () => [anImage(), used, foreign],
          prune: async () => {
            pruned += 1
            return result
          },
        },
      },
      options,
    )
    return { ...fake, pruned: () => pruned }
  }

  it('says what goes, asks, and tells what that freed', async () => {
    const { context, terminal, asked, pruned } = setUp({ answer: true })
    expect(await pruneImages(context, [], {})).toBe(0)
    expect(terminal.stderr()).toMatch(/No agent needs these .*\nREFERENCE.*\npython:3\.11 /)
    expect(terminal.stderr()).not.toMatch(/node:18|redis:7/)
    expect(asked).toEqual(['Remove 1 image, up to 120 MiB?'])
    expect(terminal.stdout()).toBe('Removed python:3.11 (aaaaaaaaaaaa)\nFreed 100 MiB of 1 image\n')
    expect(pruned()).toBe(1)
  })

  const kept = [{ image: anImage(), reason: 'a container needs it: \x1b[2Jweb' }]

  it('says what stays and why, beside what went', async () => {
    const removed = [anImage({ references: ['node:18'] })]
    const { context, terminal } = setUp({ answer: true }, { removed, freedBytes: 1024, kept })
    expect(await pruneImages(context, [], {})).toBe(0)
    expect(terminal.stdout().split('\n')).toEqual([
      'Removed node:18 (aaaaaaaaaaaa)',
      expect.stringMatching(/^Kept python:3\.11 \(a{12}\): a container needs it: .*web$/),
      'Freed 1.0 KiB of 1 image',
      '',
    ])
    expect(terminal.stdout()).not.toContain('\x1b')
  })

  it('does not claim that agents need what could not be removed', async () => {
    const { context, terminal } = setUp({ answer: true }, { removed: [], freedBytes: 0, kept })
    expect(await pruneImages(context, [], {})).toBe(0)
    expect(terminal.stdout()).toMatch(/^Kept python:3\.11 .*\nNothing was removed\.\n$/)
  })

  it('gives programs what stays and why', async () => {
    const result = { removed: [], freedBytes: 0, kept }
    const { context, terminal } = setUp({ json: true }, result)
    await pruneImages(context, [], { yes: true })
    expect(JSON.parse(terminal.stdout())).toMatchObject({
      removed: [],
      kept: [{ image: { references: ['python:3.11'] }, reason: kept[0]?.reason }],
    })
  })

  it('removes nothing after a no', async () => {
    const { context, terminal, pruned } = setUp({ answer: false })
    expect(await pruneImages(context, [], {})).toBe(0)
    expect(terminal.stderr()).toMatch(/Nothing was removed\.\n$/)
    expect(pruned()).toBe(0)
  })

  it('removes nothing where nobody can be asked', async () => {
    for (const json of [false, true]) {
      const { context, pruned } = setUp({ json })
      await expect(pruneImages(context, [], {})).rejects.toMatchObject({
        code: 'confirmation.missing',
        details: { help: 'say so beforehand: aegis image prune --yes' },
      })
      expect(pruned()).toBe(0)
    }
  })

  it('does not ask after a --yes', async () => {
    const { context, terminal, asked } = setUp({ json: true })
    await pruneImages(context, [], { yes: true })
    expect(asked).toEqual([])
    expect(JSON.parse(terminal.stdout())).toMatchObject({ freed_bytes: 104857600 })
  })

  it('asks nothing when there is nothing to remove', async () => {
    const { context, terminal, asked } = fakeContext({
      images: {
        list: async () => [],
        prune: async () => ({ removed: [], freedBytes: 0, kept: [] }),
      },
    })
    await pruneImages(context, [], {})
    expect(asked).toEqual([])
    expect(terminal.stdout()).toContain('Nothing to remove')
  })
})
