import { createServer, type Server } from 'node:net'
import { AegisError } from '@aegis/core'

/** Host uids for sandboxes: `first` and the `count` - 1 after it. */
export interface UidRange {
  readonly first: number
  readonly count: number
}

/** Above what distributions, containers and network directories hand out. */
export const defaultUidRange: UidRange = { first: 1_900_000_000, count: 65_536 }

/** One host uid (and gid of the same number) that no other sandbox has meanwhile. */
export interface UserLease extends Disposable {
  readonly uid: number
}

export interface UserLeases extends AsyncDisposable {
  /** First uid of the claimed block. */
  readonly first: number
  /** @throws AegisError `exhausted` / `users.exhausted` */
  take(): UserLease
}

/**
 * Claims a block of the range for this process, so that daemons with different homes never share
 * a uid. The claim is an abstract Unix socket: one owner at a time, and gone with the owner, even
 * one that was killed.
 * @throws AegisError `exhausted` / `users.exhausted` all blocks are claimed
 */
export async function claimUsers(range: UidRange, largestBlock = 1024): Promise<UserLeases> {
  const blockSize = Math.min(largestBlock, range.count)
  const blocks = Math.floor(range.count / blockSize)
  const start = Math.floor(Math.random() * blocks)
  for (let turn = 0; turn < blocks; turn++) {
    const first = range.first + ((start + turn) % blocks) * blockSize
    const claim = await claimBlock(first)
    if (claim !== undefined) return leasesOf(first, blockSize, claim)
  }
  throw exhausted(range, 'other daemons on this host use them all')
}

function leasesOf(first: number, size: number, claim: Server): UserLeases {
  const taken = new Set<number>()
  // Not always from the start: a uid rests for a while before it comes back.
  let next = first + Math.floor(Math.random() * size)
  return {
    first,
    take() {
      if (taken.size >= size) throw exhausted({ first, count: size }, 'all are in use')
      while (taken.has(next)) next = first + ((next - first + 1) % size)
      const uid = next
      taken.add(uid)
      next = first + ((next - first + 1) % size)
      return { uid, [Symbol.dispose]: () => void taken.delete(uid) }
    },
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => claim.close(resolve))
    },
  }
}

async function claimBlock(first: number): Promise<Server | undefined> {
  const server = createServer((connection) => connection.destroy())
  server.unref()
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(`\0aegis-sandbox-users-${first}`, () => resolve(server))
  })
}

const exhausted = (range: UidRange, because: string): AegisError =>
  new AegisError(
    'exhausted',
    'users.exhausted',
    `No host uid from ${range.first} to ${range.first + range.count - 1} is free for a sandbox: ${because}. Give the daemon another range`,
  )
