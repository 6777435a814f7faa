import { AegisError, type ExecCommand, type SandboxFile } from '@aegis/core'
import { PATH_MAX_BYTES, REQUEST_MAX_BYTES, VECTOR_MAX } from './wire/limits.ts'

/** @throws AegisError `invalid` when the command cannot be told to a guest */
export function checkCommand({ argv, env, cwd }: ExecCommand): void {
  const variables = Object.entries(env)
  const strings = [cwd, ...argv, ...variables.flat()]
  if (strings.some((text) => text.includes('\0')))
    throw invalid('exec.argument', 'A NUL character cannot be passed to a command; remove it')
  if (argv[0] === '') throw invalid('exec.argument', 'The name of the command is empty')
  const badName = variables.find(([name]) => name === '' || name.includes('='))
  if (badName)
    throw invalid('exec.argument', `"${badName[0]}" cannot be the name of an environment variable`)
  if (!cwd.startsWith('/'))
    throw invalid('exec.directory', `The working directory must be absolute: "${cwd}"`)
  const bytes = strings.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 9)
  if (bytes > REQUEST_MAX_BYTES || argv.length + variables.length > VECTOR_MAX)
    throw invalid(
      'exec.too-large',
      `Arguments and environment may hold ${REQUEST_MAX_BYTES} bytes in ${VECTOR_MAX} strings; pass more through standard input or a file`,
    )
}

/** @throws AegisError `invalid` unless absolute, canonical and short enough */
export function checkPath(path: string): void {
  const parts = path.split('/').slice(1)
  const canonical = parts.every((part) => part !== '' && part !== '.' && part !== '..')
  if (!path.startsWith('/') || !canonical || path.includes('\0'))
    throw invalid('file.path', `Not an absolute path without "." and "..": ${JSON.stringify(path)}`)
  if (Buffer.byteLength(path) > PATH_MAX_BYTES)
    throw invalid('file.path', `A path may hold ${PATH_MAX_BYTES} bytes: ${path.slice(0, 80)}…`)
}

/** @throws AegisError `invalid` when path or mode are not usable */
export function checkFile({ path, mode = 0o644 }: SandboxFile): void {
  checkPath(path)
  if (!Number.isInteger(mode) || mode < 0 || mode > 0o777)
    throw invalid('file.mode', `${path}: a mode holds permission bits only, 0 to 0o777`)
}

function invalid(code: string, message: string): AegisError {
  return new AegisError('invalid', code, message)
}
