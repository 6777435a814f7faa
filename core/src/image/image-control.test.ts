import { expect, it } from 'vitest'
import { AegisError } from '../kernel/aegis-error.ts'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import { makeImageControl } from './image-control.ts'
import type { Image } from './image-store.ts'

const anImage = (id: string): Image => ({
  id,
  references: [`${id}:1`],
  digests: [],
  sizeBytes: 10,
  createdAt: '2026-11-22T15:04:05.123Z',
  pulled: true,
})

/** Three images that nobody needs, the second of which does not go. */
function setUp(error: Error) {
  const tried: string[] = []
  const images = {
    list: async () => ['first', 'second', 'third'].map(anImage),
    remove: async (id: string) => {
      tried.push(id)
      if (id === 'second') throw error
    },
  }
  const runtimes = new Map([['docker', { images } as unknown as SandboxRuntime]])
  return { control: makeImageControl({ runtimes, agents: { list: async () => [] } }), tried }
}

it.each([
  new AegisError('conflict', 'image.used', 'a container needs it: web'),
  new AegisError('timeout', 'engine.timeout', 'The engine did not answer.'),
  new AegisError('unavailable', 'engine.refused', 'The disk is read-only.'),
])('keeps an image that does not go ($code), says why, and goes on', async (error) => {
  const { control } = setUp(error)
  expect(await control.prune()).toEqual({
    removed: [anImage('first'), anImage('third')],
    freedBytes: 20,
    kept: [{ image: anImage('second'), reason: error.message }],
  })
})

it('frees the disk of an image that is not its own, and counts one that stands for the image once', async () => {
  const disk = { sizeBytes: 7, machines: 0, alone: false }
  const list = [
    { ...anImage('foreign'), pulled: false, disk },
    { ...anImage('own'), disk },
    { ...anImage('built'), sizeBytes: 7, disk: { ...disk, alone: true } },
    { ...anImage('other'), pulled: false },
  ]
  const removed: string[] = []
  const remove = async (id: string) => void removed.push(id)
  const images = { list: async () => list, remove, fromArchive: async () => list[0] }
  const plain = { list: async () => [], remove }
  const runtimes = new Map(
    Object.entries({ docker: plain, firecracker: images }).map(([name, store]) => [
      name,
      { images: store } as unknown as SandboxRuntime,
    ]),
  )
  const control = makeImageControl({ runtimes, agents: { list: async () => [] } })
  expect((await control.list()).map(({ id }) => id)).toEqual(['foreign', 'own', 'built'])
  expect((await control.prune()).freedBytes).toBe(7 + 17 + 7)
  expect(removed).toEqual(['foreign', 'own', 'built'])
})

it.each([
  new AegisError('unavailable', 'engine.unreachable', 'The engine cannot be reached.'),
  new TypeError('a bug'),
])('stops pruning where no other image would fare better: $message', async (error) => {
  const { control, tried } = setUp(error)
  await expect(control.prune()).rejects.toBe(error)
  expect(tried).toEqual(['first', 'second'])
})
