import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { AegisError, type SandboxFile } from '@aegis/core'

/**
 * A /workspace that the agent cannot write: a host directory that the sandbox sees through a
 * read-only mount. Files are put into it from outside, where no process of the sandbox can interfere.
 */
export interface ReadOnlyWorkspace extends AsyncDisposable {
  readonly directory: string
  /** Whether this path lies in the workspace. */
  holds(path: string): boolean
  /** @throws AegisError `exhausted` / `sandbox.disk-full` */
  write(file: SandboxFile): Promise<void>
}

export interface ReadOnlyWorkspaceOptions {
  readonly directory: string
  readonly limitBytes: number
  /** Host uid and gid the sandbox reads as, when not our own. */
  readonly uid: number | undefined
}

export async function makeReadOnlyWorkspace(
  options: ReadOnlyWorkspaceOptions,
): Promise<ReadOnlyWorkspace> {
  const { directory, limitBytes, uid } = options
  await mkdir(directory, { recursive: true, mode: 0o755 })
  let bytes = 0
  const own = async (path: string) => (uid === undefined ? undefined : chown(path, uid, uid))
  await own(directory)
  return {
    directory,
    holds: (path) => `${normalize(path)}/`.startsWith('/workspace/'),
    async write({ path, content, mode }) {
      const target = join(directory, normalize(path).slice('/workspace'.length))
      bytes += content.byteLength
      if (bytes > limitBytes) throw diskFull(path, limitBytes)
      const made = await mkdir(dirname(target), { recursive: true, mode: 0o755 })
      for (
        let at = dirname(target);
        made !== undefined && at.length >= made.length;
        at = dirname(at)
      )
        await own(at)
      await writeFile(target, content)
      await own(target)
      await chmod(target, (mode ?? 0o644) & 0o777)
    },
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const diskFull = (path: string, limitBytes: number): AegisError =>
  new AegisError(
    'exhausted',
    'sandbox.disk-full',
    `'${path}' does not fit into the ${limitBytes} bytes of /workspace. Raise spec.security.resources.disk`,
  )
