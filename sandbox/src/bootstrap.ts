import { AegisError, type SandboxFile } from '@aegis/core'

/** The bootstrap script of a language as a file to put into a sandbox, and the argv that runs it. */
export function bootstrapFor(_language: 'python' | 'javascript'): {
  readonly file: SandboxFile
  readonly argv: readonly [string, ...string[]]
} {
  throw new AegisError('unsupported', 'bootstrap.absent', 'The bootstrap is not written yet')
}
