import { posix } from 'node:path'
import { AegisError, type SandboxFile } from '@aegis/core'
import type { ContainerUser } from './container-plan.ts'
import type { Carrier } from './guest-volume.ts'
import { type TarEntry, tarOf } from './tar-archive.ts'

export const workspaceDirectory = '/workspace'

/**
 * A /workspace that the agent cannot write: a volume that its container mounts read-only. Files are
 * put into it through a carrier, where no process of the sandbox can interfere.
 */
export interface WorkspaceVolume {
  /** Resolves once files can be put in. */
  readonly ready: Promise<unknown>
  /** Whether this path lies in the workspace. */
  holds(path: string): boolean
  /** @throws AegisError `exhausted` / `file.disk-full` */
  write(files: readonly SandboxFile[], signal: AbortSignal): Promise<void>
}

export interface WorkspaceVolumeOptions {
  readonly carrier: Promise<Carrier>
  readonly limitBytes: number
  readonly user: ContainerUser
}

export function makeWorkspaceVolume(options: WorkspaceVolumeOptions): WorkspaceVolume {
  const { carrier, limitBytes, user } = options
  let bytes = 0
  return {
    ready: carrier,
    holds: (path) => `${posix.normalize(path)}/`.startsWith(`${workspaceDirectory}/`),
    async write(files, signal) {
      bytes += files.reduce((sum, { content }) => sum + content.byteLength, 0)
      if (bytes > limitBytes)
        throw new AegisError(
          'exhausted',
          'file.disk-full',
          `What was put into /workspace does not fit into its ${limitBytes} bytes. Raise spec.security.resources.disk`,
        )
      await (await carrier).upload(tarOf(entriesOf(files, user)), signal)
    },
  }
}

function entriesOf(files: readonly SandboxFile[], user: ContainerUser): readonly TarEntry[] {
  const placed = files.map(({ path, content, mode = 0o644 }) => {
    const inside = posix.normalize(path).slice(workspaceDirectory.length + 1)
    return { path: inside, content, mode: mode & 0o777, ...user }
  })
  const directories = new Set(placed.flatMap(({ path }) => parentsOf(path)))
  return [...[...directories].map((path) => ({ path, mode: 0o755, ...user })), ...placed]
}

/** Outermost first: of `a/b/c` these are `a/` and `a/b/`. */
function parentsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)
}
