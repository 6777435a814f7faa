import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { aVmlinux } from '../testing/a-vmlinux.ts'
import { openKernelStore } from './kernel-store.ts'
import { useKernel } from './use-kernel.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-use-'))
})
afterEach(() => rm(directory, { recursive: true }))

const now = new Date('2026-11-28T20:00:00Z')
const use = (named: string) =>
  useKernel({ store: openKernelStore(join(directory, 'kernels')), named, directory, now })

async function file(name: string, content: Buffer): Promise<string> {
  await writeFile(join(directory, name), content)
  return name
}

it("takes a copy of the operator's file, and says what it is", async () => {
  const { record, notices } = await use(await file('vmlinux-6.1', aVmlinux()))
  expect(notices).toEqual([])
  expect(record).toMatchObject({
    name: 'vmlinux-6.1',
    linux: '6.1.90',
    origin: { kind: 'file', path: join(directory, 'vmlinux-6.1') },
    needsAcpi: true,
  })
  await rm(join(directory, 'vmlinux-6.1'))
  const store = openKernelStore(join(directory, 'kernels'))
  expect(await store.current()).toMatchObject({ digest: record.digest, needsAcpi: true })
})

it('goes back to a kernel that is here, by its name or the beginning of its digest', async () => {
  const { record: first } = await use(await file('one', aVmlinux()))
  const { record: second } = await use(await file('two', aVmlinux({ text: 'virtio_mmio.device' })))
  const store = openKernelStore(join(directory, 'kernels'))
  expect((await store.current()).digest).toBe(second.digest)
  await use(first.digest.slice(0, 8))
  expect((await store.current()).digest).toBe(first.digest)
  await use('two')
  expect((await store.current()).digest).toBe(second.digest)
})

it('asks which one is meant when two have the same name', async () => {
  await use(await file('vmlinux', aVmlinux()))
  await use(`./${await file('vmlinux', aVmlinux({ text: 'another' }))}`)
  await expect(use('vmlinux')).rejects.toMatchObject({ code: 'kernel.ambiguous' })
})

it('warns of a kernel that QEMU cannot start', async () => {
  const { notices } = await use(await file('plain', aVmlinux({ pvh: false })))
  expect(notices).toEqual([expect.stringContaining('CONFIG_PVH')])
})

it('keeps the kernel that was used when the new one is refused', async () => {
  const { record } = await use(await file('good', aVmlinux()))
  await mkdir(join(directory, 'folder'))
  await expect(use(await file('bad', Buffer.from('no')))).rejects.toMatchObject({
    code: 'kernel.invalid',
  })
  await expect(use('./folder')).rejects.toMatchObject({ code: 'kernel.invalid' })
  await expect(use('/dev/zero')).rejects.toMatchObject({ code: 'kernel.invalid' })
  await expect(use('nothing')).rejects.toMatchObject({ kind: 'not-found', code: 'kernel.unknown' })
  const store = openKernelStore(join(directory, 'kernels'))
  expect((await store.current()).digest).toBe(record.digest)
})

it('keeps no more kernels than it may', async () => {
  for (let index = 0; index < 32; index += 1)
    await use(await file(`kernel-${index}`, aVmlinux({ text: `${index}` })))
  await expect(use(await file('more', aVmlinux({ text: 'more' })))).rejects.toMatchObject({
    kind: 'exhausted',
    code: 'kernel.too-many',
  })
})
