import { stat } from 'node:fs/promises'
import { AegisError, type SandboxFilesystem } from '@aegis/core'
import { type ContainerUser, defaultUser } from './container-plan.ts'

/**
 * Who the sandbox is: nobody in particular, or the owner of what it was lent for writing, when that
 * is one user other than root. Refuses what this user may then not use.
 * @throws AegisError `denied` / `filesystem.permission`
 */
export async function containerUser(
  { read, write }: SandboxFilesystem,
  /** Whether numbers mean the same inside and outside. */
  sameUsers: boolean,
): Promise<ContainerUser> {
  const owners = await Promise.all(write.map(ownerOf))
  const [first] = owners
  const one = first !== undefined && owners.every(({ uid }) => uid === first.uid)
  const user = one && first.uid !== 0 && sameUsers ? first : defaultUser
  for (const path of new Set([...read, ...write]))
    await checkPermission(path, user, write.includes(path), sameUsers)
  return { uid: user.uid, gid: user.gid }
}

async function ownerOf(path: string): Promise<ContainerUser> {
  const { uid, gid } = await stat(path)
  // A file may belong to a group with rights; what has none of its own gets none.
  return { uid, gid: gid === 0 ? uid : gid }
}

const mayRead = 4
const mayWrite = 2
const mayEnter = 1

async function checkPermission(
  path: string,
  user: ContainerUser,
  write: boolean,
  sameUsers: boolean,
): Promise<void> {
  const info = await stat(path)
  const wanted = mayRead | (write ? mayWrite : 0) | (info.isDirectory() ? mayEnter : 0)
  const shift = () => {
    if (!sameUsers) return 0
    if (info.uid === user.uid) return 6
    return info.gid === user.gid ? 3 : 0
  }
  if (((info.mode >> shift()) & wanted) === wanted) return
  throw new AegisError(
    'denied',
    'filesystem.permission',
    `Sandboxes may not ${write ? 'write' : 'read'} '${path}': containers act as user ${user.uid}, or as the one owner, other than root, of all they may write. Give the paths to one such user (chown), or let everybody ${write ? 'write' : 'read'} them (chmod)`,
  )
}
