import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KernelRecord } from './kernel-record.ts'
import { openKernelStore } from './kernel-store.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-kernels-'))
})
afterEach(() => rm(directory, { recursive: true }))

it('says how to get a kernel while it has none', async () => {
  const store = openKernelStore(join(directory, 'kernels'))
  expect(await store.currentRecord()).toBeUndefined()
  await expect(store.current()).rejects.toMatchObject({
    kind: 'unsupported',
    code: 'kernel.absent',
    message: expect.stringContaining('aegis kernel fetch'),
  })
})

it('refuses a kernel whose file was changed', async () => {
  const store = openKernelStore(directory)
  const { digest } = await put('kernel')
  expect(await store.current()).toMatchObject({ digest, arguments: [] })
  await writeFile(join(directory, digest, 'vmlinux'), 'kermel')
  await expect(store.current()).rejects.toMatchObject({ code: 'kernel.altered' })
})

it('refuses a record that somebody mangled', async () => {
  const { digest } = await put('kernel')
  await writeFile(join(directory, digest, 'kernel.json'), '{}')
  await expect(openKernelStore(directory).current()).rejects.toMatchObject({
    code: 'kernel.record',
  })
})

it('stores the same kernel for several at once, and never shows half of it', async () => {
  const store = openKernelStore(directory)
  const kernel = Buffer.alloc(1 << 20, 7)
  const records = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const record = await store.add(kernel, known)
      await store.use(record.digest)
      return store.current()
    }),
  )
  expect(new Set(records.map(({ digest }) => digest)).size).toBe(1)
  expect((await readdir(directory)).sort()).toEqual([records[0]?.digest, 'current'].sort())
})

it('clears away what a crash left an hour ago, and nothing younger', async () => {
  const [old, young] = [join(directory, '.unfinished-old'), join(directory, '.unfinished-young')]
  await mkdir(old)
  await mkdir(young)
  await utimes(old, new Date(0), new Date(0))
  await openKernelStore(directory).add(Buffer.from('kernel'), known)
  expect(await readdir(directory)).toContain('.unfinished-young')
  expect(await readdir(directory)).not.toContain('.unfinished-old')
})

async function put(content: string): Promise<KernelRecord> {
  const digest = createHash('sha256').update(content).digest('hex')
  const record: KernelRecord = { ...known, digest, sizeBytes: content.length }
  await mkdir(join(directory, digest))
  await writeFile(join(directory, digest, 'vmlinux'), content)
  await writeFile(join(directory, digest, 'kernel.json'), JSON.stringify(record))
  await writeFile(join(directory, 'current'), digest)
  return record
}

const known: Omit<KernelRecord, 'digest' | 'sizeBytes'> = {
  name: 'kernel',
  linux: '6.12.91',
  origin: { kind: 'file', path: '/kernel' },
  arguments: [],
  needsAcpi: false,
  fetchedAt: '2026-11-28T20:00:00.000Z',
}
