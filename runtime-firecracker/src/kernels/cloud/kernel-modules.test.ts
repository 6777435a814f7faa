import { describe, expect, it } from 'vitest'
import { moduleName, neededModules } from './kernel-modules.ts'

const wanted = [
  ...['virtio_mmio', 'virtio_blk', 'virtio_console', 'virtio_rng'],
  ...['vmw_vsock_virtio_transport', 'erofs', 'overlay'],
]

const aModule = (depends = ''): Buffer =>
  Buffer.from(`ELF…\0license=GPL\0depends=${depends}\0name=x\0…`, 'latin1')

function namesOf(modules: Readonly<Record<string, string>>, builtIn = ''): readonly string[] {
  const files = new Map(Object.entries(modules).map(([name, needs]) => [name, aModule(needs)]))
  return neededModules((name) => files.get(name), builtIn).map(({ name }) => name)
}

const plain = Object.fromEntries(wanted.map((name) => [name, '']))

describe('the modules that a machine needs', () => {
  it('come behind those that they need themselves, each once', () => {
    const names = namesOf({
      ...plain,
      virtio_mmio: 'virtio_ring,virtio',
      virtio_blk: 'virtio,virtio_ring',
      virtio_ring: 'virtio',
      virtio: '',
    })
    expect(names.slice(0, 4)).toEqual(['virtio', 'virtio_ring', 'virtio_mmio', 'virtio_blk'])
    expect(names).toHaveLength(wanted.length + 2)
  })

  it('are left out where the kernel has them built in', () => {
    const builtIn = 'kernel/fs/erofs/erofs.ko\nkernel/drivers/char/hw_random/virtio-rng.ko\n'
    const { erofs: _, virtio_rng: __, ...others } = plain
    expect(namesOf(others, builtIn)).toEqual(Object.keys(others))
  })

  it('are refused when one is missing, or goes round in a circle', () => {
    const { overlay: _, ...others } = plain
    expect(() => namesOf(others)).toThrow('has no module overlay')
    expect(() => namesOf({ ...plain, erofs: 'overlay', overlay: 'erofs' })).toThrow('needs itself')
  })

  it('are called as the kernel calls them', () => {
    expect(moduleName('kernel/drivers/char/hw_random/virtio-rng.ko')).toBe('virtio_rng')
  })
})
