import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { aVmlinux } from '../../testing/a-vmlinux.ts'
import { anAr, aTar } from '../../testing/an-archive.ts'
import { sha256Of, startFakeMirror } from '../../testing/fake-mirror.ts'
import { fetchKernel } from '../fetch-kernel.ts'
import { kernelSources } from '../kernel-sources.ts'
import { openKernelStore } from '../kernel-store.ts'
import type { PinnedKernel } from '../pinned-kernel.ts'

const version = '6.1.0-50-cloud-amd64'
const drivers: Readonly<Record<string, string>> = {
  'drivers/virtio/virtio_mmio': 'virtio_ring',
  'drivers/virtio/virtio_ring': '',
  'drivers/block/virtio_blk': 'virtio_ring',
  'drivers/char/virtio_console': '',
  'drivers/char/hw_random/virtio-rng': '',
  'net/vmw_vsock/vmw_vsock_virtio_transport': '',
  'fs/erofs/erofs': '',
  'fs/overlayfs/overlay': '',
  'drivers/net/dummy': '',
}

/** A bzImage with this kernel in it. */
function packed(kernel: Buffer): Buffer {
  const payload = gzipSync(kernel)
  const head = Buffer.alloc(1024)
  head.writeUInt8(1, 0x1f1)
  head.write('HdrS', 0x202)
  head.writeUInt16LE(0x20f, 0x206)
  head.writeUInt32LE(payload.length, 0x24c)
  return Buffer.concat([head, payload])
}

function aCloudDeb(kernel: Buffer, left = ''): Buffer {
  const files = Object.entries(drivers)
    .filter(([path]) => path !== left)
    .map(([path, depends]) => ({
      path: `lib/modules/${version}/kernel/${path}.ko`,
      content: Buffer.from(`${path}\0depends=${depends}\0`),
    }))
  const others = [
    { path: `boot/vmlinuz-${version}`, content: packed(kernel) },
    {
      path: `lib/modules/${version}/modules.builtin`,
      content: Buffer.from('kernel/fs/ext4/ext4.ko\n'),
    },
  ]
  return anAr([
    { name: 'debian-binary', content: Buffer.from('2.0\n') },
    { name: 'data.tar.gz', content: gzipSync(aTar([...others, ...files])) },
  ])
}

async function scene(deb: Buffer) {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-cloud-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const mirror = await startFakeMirror()
  onTestFinished(() => mirror[Symbol.asyncDispose]())
  const path = 'pool/main/l/linux/linux-image.deb'
  mirror.files.set(path, deb)
  const pinned: PinnedKernel = {
    suite: 'bookworm',
    package: {
      ...{ name: `linux-image-${version}`, version: '6.1.176-1', path },
      ...{ sha256: sha256Of(deb), sizeBytes: deb.length },
    },
    digest: sha256Of(aVmlinux()),
    since: new Date('2026-07-11T10:16:37Z'),
  }
  const store = openKernelStore(directory)
  const fetch = () =>
    fetchKernel({
      ...{ store, source: 'cloud', latest: false, mirror: mirror.url, pinned, now: new Date() },
      ...{ onProgress: () => {}, signal: AbortSignal.timeout(20_000) },
    })
  return { directory, store, fetch }
}

describe("Debian's kernel for clouds", () => {
  it('is unpacked, and has its drivers with it, in the order in which they can be loaded', async () => {
    const { store, fetch } = await scene(aCloudDeb(aVmlinux()))
    const { record } = await fetch()
    expect(record).toMatchObject({
      name: `linux-image-${version}`,
      origin: { version: '6.1.176-1', trust: 'pinned' },
      modules: {
        names: [
          ...['virtio_ring', 'virtio_mmio', 'virtio_blk', 'virtio_console', 'virtio_rng'],
          ...['vmw_vsock_virtio_transport', 'erofs', 'overlay'],
        ],
      },
    })
    const { modules } = await store.current()
    const archive = await readFile(modules?.path ?? '')
    expect(sha256Of(archive)).toBe(record.modules?.digest)
    expect(archive.includes('modules/00-virtio_ring.ko\0')).toBe(true)
    expect(archive.includes('dummy')).toBe(false)
  })

  it('is refused when its drivers were changed on the disk, and fetched again', async () => {
    const { store, fetch } = await scene(aCloudDeb(aVmlinux()))
    await fetch()
    const path = (await store.current()).modules?.path ?? ''
    await rm(path)
    await writeFile(path, 'other')
    await expect(store.current()).rejects.toMatchObject({ code: 'kernel.altered' })
    expect(await fetch()).toMatchObject({ wasStored: false })
    await store.current()
  })

  it('is refused when a driver is missing, or the kernel is another, and nothing stays', async () => {
    for (const [deb, code] of [
      [aCloudDeb(aVmlinux(), 'fs/erofs/erofs'), 'kernel.invalid'],
      [aCloudDeb(aVmlinux({ pvh: false })), 'kernel.digest'],
    ] as const) {
      const { directory, fetch } = await scene(deb)
      await expect(fetch()).rejects.toMatchObject({ code })
      expect(await readdir(directory)).toEqual([])
    }
  })

  it('is the one that the distribution calls its newest', () => {
    const aPackage = (name: string, depends: readonly string[] = []) => ({
      ...{ name, depends, version: '1', path: `pool/${name}.deb`, sizeBytes: 1 },
      sha256: 'a'.repeat(64),
    })
    const packages = [
      aPackage('linux-image-6.1.0-50-cloud-amd64'),
      aPackage('linux-image-6.1.0-9-cloud-amd64'),
      aPackage('linux-image-cloud-amd64', ['linux-image-6.1.0-50-cloud-amd64']),
    ]
    const { cloud } = kernelSources
    expect(packages.every(({ name }) => cloud.isOfInterest(name))).toBe(true)
    expect(cloud.isOfInterest('linux-image-6.1.0-50-amd64')).toBe(false)
    expect(cloud.newest(packages)?.name).toBe('linux-image-6.1.0-50-cloud-amd64')
    expect(cloud.newest(packages.slice(0, 2))).toBeUndefined()
  })
})
