import { readDeb } from '../archive/read-deb.ts'
import { invalidKernel } from '../invalid-kernel.ts'
import { kernelLimits } from '../kernel-limits.ts'
import type { UnpackedKernel } from '../kernel-sources.ts'
import { moduleName, neededModules } from './kernel-modules.ts'
import { unpackBzImage } from './unpack-bzimage.ts'
import { writeCpio } from './write-cpio.ts'

const image = /^boot\/vmlinuz-[^/]+$/
const builtIn = /^(?:usr\/)?lib\/modules\/[^/]+\/modules\.builtin$/
/** Where modules of interest lie; the others are passed over. */
const modules =
  /^(?:usr\/)?lib\/modules\/[^/]+\/kernel\/(?:drivers\/(?:virtio|block|char)|net\/vmw_vsock|fs|lib|crypto|arch\/x86\/crypto)\/.*\.ko$/

/**
 * The kernel of Debian's package for clouds, and of its modules those that machines need, in the order
 * in which they can be loaded.
 * @throws AegisError `invalid` / `kernel.invalid`, `kernel.package` · `unsupported` / `kernel.no-xz`
 */
export async function unpackCloudKernel(deb: Buffer, signal: AbortSignal): Promise<UnpackedKernel> {
  const wants = (path: string) => [image, builtIn, modules].some((one) => one.test(path))
  const files = readDeb(
    deb,
    { wants, maxBytes: kernelLimits.kernelBytes },
    { maxBytes: kernelLimits.unpackedBytes, signal },
  )
  let packed: Buffer | undefined
  let names = ''
  const found = new Map<string, Buffer>()
  for await (const { path, content } of files) {
    if (image.test(path)) packed = content
    else if (builtIn.test(path)) names = content.toString('latin1')
    else found.set(moduleName(path), content)
  }
  if (packed === undefined) throw invalidKernel('is a package without boot/vmlinuz')
  const needed = neededModules((name) => found.get(name), names)
  const archive = writeCpio([
    { path: 'modules', mode: 0o755 },
    ...needed.map(({ name, content }, index) => ({
      path: `modules/${`${index}`.padStart(2, '0')}-${name}.ko`,
      mode: 0o444,
      content,
    })),
  ])
  const kernel = await unpackBzImage(packed, signal)
  return { kernel, modules: { archive, names: needed.map(({ name }) => name) } }
}
