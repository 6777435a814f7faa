import { AegisError, type SandboxSpec } from '@aegis/core'
import { checkSpecValues } from '@aegis/sandbox'

/** Less than this, and nothing but the smallest programs would start. */
export const smallestMemoryBytes = 32 << 20

/**
 * Refuses what a machine cannot give.
 * @throws AegisError `invalid` · `unsupported` / `sandbox.host-paths`, `sandbox.gpus`, `sandbox.kernel`,
 * `sandbox.memory`, `sandbox.image`
 */
export function checkMachineSpec(spec: SandboxSpec): { readonly image: string } {
  checkSpecValues(spec)
  const { filesystem, limits, interpreter } = spec
  if (filesystem.read.length + filesystem.write.length > 0)
    throw unsupported(
      'host-paths',
      'A micro-VM shares no files with its host, so no paths can be lent to it. Remove spec.security.filesystem.read and write, or use spec.runtime.isolation: process or docker',
    )
  if (limits.gpus !== undefined)
    throw unsupported(
      'gpus',
      'Micro-VMs get no graphics cards. Use spec.runtime.isolation: docker, or remove spec.security.resources.gpu',
    )
  if (spec.applicationKernel !== undefined)
    throw unsupported(
      'kernel',
      `A micro-VM has a kernel of its own already, and none of ${spec.applicationKernel}. Remove spec.runtime.sandbox, or use spec.runtime.isolation: docker`,
    )
  if (limits.memoryBytes < smallestMemoryBytes)
    throw unsupported(
      'memory',
      `A micro-VM needs at least ${smallestMemoryBytes >> 20}Mi of memory, and spec.security.resources.memory is ${limits.memoryBytes} bytes. Set it to ${smallestMemoryBytes >> 20}Mi or more`,
    )
  if (interpreter.image === undefined)
    throw unsupported(
      'image',
      'A micro-VM boots from an image, and this sandbox names none. Set spec.runtime.image, or give the language an image in the node config (spec.runtime.images)',
    )
  return { image: interpreter.image }
}

const unsupported = (name: string, message: string): AegisError =>
  new AegisError('unsupported', `sandbox.${name}`, message)
