import { invalidKernel } from '../invalid-kernel.ts'

/** What a micro-VM cannot do without, as a kernel calls it. */
const wanted = [
  ...['virtio_mmio', 'virtio_blk', 'virtio_console', 'virtio_rng'],
  ...['vmw_vsock_virtio_transport', 'erofs', 'overlay'],
]

/** What a module says of itself, and its file. */
export interface KernelModule {
  readonly name: string
  readonly content: Buffer
}

/**
 * Those of a kernel's modules that machines need, each behind those that it needs itself. `read` gives
 * the file of a module; undefined when it is no module. `builtIn` is the kernel's `modules.builtin`.
 * @throws AegisError `invalid` / `kernel.invalid` one is missing
 */
export function neededModules(
  read: (name: string) => Buffer | undefined,
  builtIn: string,
): readonly KernelModule[] {
  const inKernel = new Set(builtIn.split('\n').map(moduleName))
  const chosen = new Map<string, KernelModule>()
  const visiting = new Set<string>()
  const take = (name: string): void => {
    if (inKernel.has(name) || chosen.has(name)) return
    const content = read(name)
    if (content === undefined) throw invalidKernel(`has no module ${name}`)
    if (visiting.has(name)) throw invalidKernel(`has a module ${name} that needs itself`)
    visiting.add(name)
    for (const other of dependenciesOf(content)) take(other)
    chosen.set(name, { name, content })
  }
  for (const name of wanted) take(name)
  return [...chosen.values()]
}

/** By the path of its file: `kernel/drivers/char/hw_random/virtio-rng.ko` is `virtio_rng`. */
export const moduleName = (path: string): string =>
  path.replace(/^.*\//, '').replace(/\.ko$/, '').replaceAll('-', '_')

/** A module lists them in its section of facts, `name=value` and a zero after each. */
function dependenciesOf(module: Buffer): readonly string[] {
  const marker = Buffer.from('\0depends=')
  const at = module.indexOf(marker)
  if (at < 0) return []
  const start = at + marker.length
  const text = module.toString('latin1', start, Math.min(module.indexOf(0, start), start + 4096))
  return text.split(',').filter(Boolean).map(moduleName)
}
