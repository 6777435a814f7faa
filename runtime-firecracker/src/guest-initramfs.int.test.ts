import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { withGuest } from './guest-initramfs.ts'
import { writeCpio } from './kernels/cloud/write-cpio.ts'
import type { GuestKernel } from './machine/machine-plan.ts'

const never = new AbortController().signal

async function scene() {
  const home = await mkdtemp(join(tmpdir(), 'aegis-initramfs-'))
  onTestFinished(() => rm(home, { recursive: true }))
  const guestPath = join(home, 'guest')
  await writeFile(guestPath, 'the guest')
  const archive = writeCpio([{ path: 'modules', mode: 0o755 }])
  const modules = { path: join(home, 'modules.cpio'), digest: '' }
  await writeFile(modules.path, archive)
  const plain: GuestKernel = { path: '/vmlinux', digest: 'a'.repeat(64), arguments: [] }
  const directory = join(home, 'state')
  const choose = (kernel: GuestKernel) => withGuest(async () => kernel, directory, guestPath)(never)
  return { plain, cloud: { ...plain, modules }, archive, directory, guestPath, choose }
}

it('leaves a kernel alone that has its drivers built in', async () => {
  const { plain, choose } = await scene()
  expect(await choose(plain)).toBe(plain)
})

it('puts the guest behind the drivers, once for each pair, and readable to monitors', async () => {
  const { cloud, archive, directory, choose } = await scene()
  const kernels = await Promise.all([choose(cloud), choose(cloud)])
  const [kernel] = kernels
  expect(kernels[1]).toEqual(kernel)
  const whole = await readFile(kernel?.initramfs ?? '')
  expect(whole.subarray(0, archive.length).equals(archive)).toBe(true)
  expect(whole.includes('init\0')).toBe(true)
  expect(whole.includes('the guest')).toBe(true)
  expect((await stat(kernel?.initramfs ?? '')).mode & 0o777).toBe(0o444)
  expect(await readdir(directory)).toHaveLength(1)
})

it('lets snapshots depend on the drivers and the guest too', async () => {
  const { plain, cloud, guestPath, choose } = await scene()
  const first = await choose(cloud)
  expect(first.digest).not.toBe(plain.digest)
  await writeFile(guestPath, 'another guest')
  const second = await choose(cloud)
  expect(second.digest).not.toBe(first.digest)
  expect(second.initramfs).not.toBe(first.initramfs)
})
