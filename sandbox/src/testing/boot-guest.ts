import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { SandboxProcess } from '@aegis/core'
import { connectGuest } from '../connect-guest.ts'
import type { GuestOptions, GuestSession } from '../guest-session.ts'
import { locateGuest } from '../locate-guest.ts'

/** A real guest in a bare bubblewrap box, for tests. */
export interface TestGuest extends AsyncDisposable {
  readonly session: GuestSession
  /** The outermost process, bubblewrap. */
  readonly pid: number
  /** Resolves when it was reaped. */
  readonly exited: Promise<unknown>
  /** Runs a shell line and collects what it printed. */
  run(line: string): Promise<{ stdout: string; stderr: string; code: number | undefined }>
}

/** Whether the tests below can run; set `AEGIS_REQUIRE=bwrap` to make a missing box a failure. */
export async function canBoot(): Promise<boolean> {
  const required = (process.env.AEGIS_REQUIRE ?? '').split(',').includes('bwrap')
  const child = spawn('bwrap', [...ownUser, ...box, 'true'], { stdio: 'ignore' })
  const [code] = await once(child, 'exit').catch(() => [1])
  if (code !== 0 && required) throw new Error('bubblewrap does not work here')
  return code === 0
}

/** As the process runtime does it: a user namespace, and no right but that to bind port 53. */
const ownUser = ['--unshare-all', '--cap-drop', 'ALL', '--cap-add', 'CAP_NET_BIND_SERVICE']
/** As a micro-VM does it: the guest is root and gives its commands another user. Needs root. */
const asRoot = ['--unshare-ipc', '--unshare-pid', '--unshare-net', '--cap-add', 'ALL']

const box = [
  ...['--die-with-parent', '--as-pid-1', '--ro-bind', '/usr', '/usr'],
  ...['--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--dev', '/dev', '--proc', '/proc'],
  ...[
    '--size',
    '16777216',
    '--tmpfs',
    '/workspace',
    '--size',
    '16777216',
    '--perms',
    '1777',
    '--tmpfs',
    '/tmp',
  ],
]

export const never = new AbortController().signal
export const env = { PATH: '/usr/bin:/bin' }
const buildDirectory = join(import.meta.dirname, '..', '..', '..', 'build')

export type HostUser = 'self' | 'root' | 'nobody'

/** Starts a guest whose wire is its descriptor 3, and leaves speaking to the caller. */
export async function spawnGuest(boxArguments: readonly string[] = [], as: HostUser = 'self') {
  await using guest = await open(await locateGuest({ buildDirectory }))
  const program = ['--perms', '0755', '--ro-bind-data', '4', '/guest']
  const rights = as === 'root' ? asRoot : ownUser
  const argv = [...rights, ...box, ...program, ...boxArguments, '/guest', '--wire', '3']
  const child = spawn('bwrap', argv, {
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', guest.fd],
    ...(as === 'nobody' && process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
  })
  const wire = child.stdio[3]
  if (!(wire instanceof Duplex) || child.pid === undefined) throw new Error('bwrap has no pipe')
  return { child, wire, pid: child.pid, exited: once(child, 'exit') }
}

export async function bootGuest(
  options: Partial<GuestOptions> = {},
  boxArguments: readonly string[] = [],
  as: HostUser = 'self',
): Promise<TestGuest> {
  const { wire, pid, exited } = await spawnGuest(boxArguments, as)
  const session = await connectGuest(
    wire,
    { onConnect: (_target, stream) => stream.destroy(), outputLimitBytes: 1 << 30, ...options },
    never,
  )
  return {
    session,
    pid,
    exited,
    run: async (line) => {
      const process = await session.exec(
        { argv: ['sh', '-c', line], env, cwd: '/workspace' },
        never,
      )
      process.closeStdin()
      const [stdout, stderr, exit] = await Promise.all([
        textOf(process.stdout),
        textOf(process.stderr),
        process.exit,
      ])
      return { stdout, stderr, code: exit.code }
    },
    async [Symbol.asyncDispose]() {
      session.close()
      await exited
    },
  }
}

export async function bytesOf(stream: SandboxProcess['stdout']): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream))
}

export async function textOf(stream: SandboxProcess['stdout']): Promise<string> {
  return (await bytesOf(stream)).toString()
}
