import { constants } from 'node:fs'
import { chmod, chown, copyFile, link, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { AegisError, type SandboxId } from '@aegis/core'
import type { Living } from '@aegis/sandbox'

/** Where one machine's Firecracker will see `/`. Filled before it starts; removed with all in it. */
export interface Jail extends AsyncDisposable {
  readonly root: string
  /** Shows a file that is only read: the same one where its mode allows, else a copy. */
  show(path: string, name: string): Promise<void>
  /** Lends a file that the machine may write: always the very same one. */
  lend(path: string, name: string): Promise<void>
}

/** All jails below one base, as the jailer lays them out: `<base>/<executable>/<id>/root`. */
export interface Jails {
  make(id: SandboxId, uid: number): Promise<Jail>
  /** Removes all but those to keep, and says which. Their processes must be gone. */
  sweep(keep: Living): Promise<readonly string[]>
}

/**
 * Opens the base, and makes it when it is missing.
 * @throws AegisError `invalid` / `jail.base` others may write to it
 */
export async function openJails(base: string, firecrackerPath: string): Promise<Jails> {
  const directory = join(base, basename(firecrackerPath))
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await mustBeOurs(base)
  await mustBeOurs(directory)
  const at = (id: string) => join(directory, id)
  const remove = (id: string) => rm(at(id), { recursive: true, force: true, maxRetries: 3 })
  return {
    async make(id, uid) {
      if (!/^[A-Za-z0-9-]{1,64}$/.test(id)) throw badId(id)
      // Not recursive: a jail that is there already is somebody else's.
      await mkdir(at(id), { mode: 0o700 })
      const root = join(at(id), 'root')
      await mkdir(root, { mode: 0o700 })
      return {
        root,
        show: (path, name) => show(path, join(root, name), uid),
        lend: (path, name) => lend(path, join(root, name), uid),
        [Symbol.asyncDispose]: () => remove(id),
      }
    },
    async sweep(keep) {
      const left = (await readdir(directory)).filter((name) => !keep.has(name))
      await Promise.all(left.map(remove))
      return left.map((name) => `jail ${at(name)}`)
    },
  }
}

async function show(path: string, target: string, uid: number): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o004) !== 0) {
    const linked = await link(path, target).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EXDEV' || error.code === 'EPERM' || error.code === 'EMLINK')
          return false
        throw error
      },
    )
    if (linked) return
  }
  // Where the file system can, blocks are shared.
  await copyFile(path, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  await chown(target, uid, uid)
  await chmod(target, 0o400)
}

async function lend(path: string, target: string, uid: number): Promise<void> {
  await link(path, target).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'EXDEV' ? elsewhere(path, target, cause) : cause
  })
  await chown(target, uid, uid)
  await chmod(target, 0o600)
}

async function mustBeOurs(directory: string): Promise<void> {
  const { uid, mode } = await stat(directory)
  if (uid === process.getuid?.() && (mode & 0o022) === 0) return
  throw new AegisError(
    'invalid',
    'jail.base',
    `Others may write to ${directory}, where the jails of machines are to be. Run chown root:root ${directory} && chmod go-w ${directory}, or name another (spec.runtime.firecracker.chroot_base)`,
  )
}

const badId = (id: string): AegisError =>
  new AegisError(
    'invalid',
    'jail.id',
    `${JSON.stringify(id.slice(0, 80))} cannot name a jail: use 1 to 64 of A-Z, a-z, 0-9 and -`,
  )

const elsewhere = (path: string, target: string, cause: unknown): AegisError =>
  new AegisError(
    'unsupported',
    'jail.file-system',
    `${path} cannot be lent to a machine at ${target}, which is on another file system. Let spec.runtime.firecracker.chroot_base be on the file system of AEGIS_HOME`,
    { cause },
  )
