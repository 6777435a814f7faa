import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A file, and what its permissions say. */
export interface OwnedFile {
  readonly text: string
  readonly uid: number
  /** The nine bits of the permissions. */
  readonly mode: number
}

/** The few things that a vault asks of the disk; each is whole or has not happened, but `write`. */
export interface VaultDisk {
  /**
   * A regular file, not through a link; undefined where there is none.
   * @throws the system's error · Error when it is something else, or larger than `mostBytes`
   */
  read(path: string, mostBytes: number): Promise<OwnedFile | undefined>
  /** Makes a file of mode 0600, or empties it first. On the disk once it resolves. */
  write(path: string, text: string): Promise<void>
  /** In place of what `to` was. On the disk once `settle` resolves. */
  rename(from: string, to: string): Promise<void>
  /** Quietly fine where there is none. */
  remove(path: string): Promise<void>
  /** Makes renames and removals in this folder last. */
  settle(folder: string): Promise<void>
}

export const vaultDisk: VaultDisk = {
  async read(path, mostBytes) {
    let file: FileHandle
    try {
      file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
    await using owned = file
    const stat = await owned.stat()
    if (!stat.isFile()) throw new Error('It is not a regular file.')
    if (stat.size > mostBytes) throw new Error(`It is larger than ${mostBytes} bytes.`)
    return { text: await owned.readFile('utf8'), uid: stat.uid, mode: stat.mode & 0o777 }
  },

  async write(path, text) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    // A leftover of a killed process may be there, and with it other permissions.
    await rm(path, { force: true })
    await using file = await open(path, 'wx', 0o600)
    await file.writeFile(text)
    await file.sync()
  },

  rename,

  remove: (path) => rm(path, { force: true }),

  async settle(folder) {
    await using directory = await open(folder, 'r')
    await directory.sync()
  },
}

const isAbsent = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
