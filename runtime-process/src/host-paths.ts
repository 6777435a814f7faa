import { lstat, realpath } from 'node:fs/promises'
import { normalize } from 'node:path'
import { AegisError, type SandboxFilesystem } from '@aegis/core'

/**
 * Refuses host paths that no sandbox may see, whoever allowed them: the system's own directories
 * and whatever holds or contains a protected path. Links are refused rather than followed, so that
 * what was allowed is what is bound.
 * @throws AegisError `invalid` / `filesystem.path` · `denied` / `filesystem.protected`
 */
export async function checkHostPaths(
  filesystem: SandboxFilesystem,
  protectedPaths: readonly string[],
): Promise<void> {
  for (const path of [...filesystem.read, ...filesystem.write]) {
    await checkPath(path)
    for (const forbidden of [...systemPaths, ...protectedPaths])
      if (isWithin(path, forbidden) || isWithin(forbidden, path))
        throw new AegisError(
          'denied',
          'filesystem.protected',
          `'${path}' may not appear in a sandbox: it is, holds or lies in ${forbidden}. Copy what the agent needs to a directory of its own and name that`,
        )
  }
}

/** Kernel interfaces, sockets of other services, and what the sandbox has of its own. */
const systemPaths = ['/proc', '/sys', '/dev', '/run', '/workspace', '/opt/aegis']

async function checkPath(path: string): Promise<void> {
  const refuse = (because: string, cause?: unknown): AegisError =>
    new AegisError('invalid', 'filesystem.path', `'${path}' ${because}`, { cause })
  if (!path.startsWith('/')) throw refuse('is not an absolute path')
  if (path.includes('\0') || normalize(path) !== path || (path.length > 1 && path.endsWith('/')))
    throw refuse(`is not in its plain form; write '${normalize(path).replace(/\/$/, '') || '/'}'`)
  const real = await realpath(path).catch((cause) => {
    throw refuse('does not exist on this host, or cannot be reached by the daemon', cause)
  })
  if (real !== path) throw refuse(`leads through a symbolic link; name its target '${real}'`)
  const info = await lstat(path)
  if (!info.isDirectory() && !info.isFile()) throw refuse('is neither a directory nor a file')
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}
