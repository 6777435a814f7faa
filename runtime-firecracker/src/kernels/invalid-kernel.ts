import { AegisError } from '@aegis/core'

/** What a file that should be a kernel, or hold one, does wrong. `reason` is half a sentence. */
export const invalidKernel = (reason: string, remedy?: string): AegisError =>
  new AegisError(
    'invalid',
    'kernel.invalid',
    `This is no kernel that micro-VMs can boot: it ${reason}. ${
      remedy ?? 'Name an uncompressed ELF vmlinux for x86-64, or fetch one: aegis kernel fetch'
    }`,
  )
