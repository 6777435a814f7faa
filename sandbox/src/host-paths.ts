import { constants } from 'node:fs'
import { access, lstat, realpath } from 'node:fs/promises'
import { normalize } from 'node:path'
import { AegisError, type SandboxFilesystem } from '@aegis/core'

/**
 * Refuses host paths that no sandbox may see, whoever allowed them: the system's own directories
 * and whatever holds or contains a protected path. Links are refused rather than followed, so that
 * what was allowed is what is bound.
 * @throws AegisError `invalid` / `filesystem.path` · `denied` / `filesystem.protected`,
 * `filesystem.permission`
 */
export async function checkHostPaths(
  filesystem: SandboxFilesystem,
  protectedPaths: readonly string[],
): Promise<void> {
  const paths = [...filesystem.read, ...filesystem.write]
  for (const path of paths) {
    await checkPath(path)
    for (const forbidden of [...systemPaths, ...protectedPaths])
      if (isWithin(path, forbidden) || isWithin(forbidden, path))
        throw new AegisError(
          'denied',
          'filesystem.protected',
          `'${path}' may not appear in a sandbox: it is, holds or lies in ${forbidden}. Copy what the agent needs to a directory of its own and name that`,
        )
  }
  // As ourselves; what a root daemon lends is checked by the launcher, once it is the sandbox's user.
  for (const path of paths) await checkAccess(path, filesystem.write.includes(path))
}

async function checkAccess(path: string, write: boolean): Promise<void> {
  await access(path, constants.R_OK | (write ? constants.W_OK : 0)).catch((cause) => {
    throw new AegisError(
      'denied',
      'filesystem.permission',
      `The daemon's user may not ${write ? 'write' : 'read'} '${path}', so neither may its sandboxes. Change the permissions of the path, or run the daemon as its owner`,
      { cause },
    )
  })
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
