import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, canBoot, env, never, type TestGuest, textOf } from './testing/boot-guest.ts'

const refused = [
  ...['ptrace', 'process_vm_readv', 'pidfd_getfd', 'mount', 'umount', 'fsopen', 'pivot_root'],
  ...['chroot', 'unshare_user', 'setns', 'clone_user', 'clone_net', 'keyctl', 'add_key', 'bpf'],
  ...['userfaultfd', 'io_uring', 'perf', 'open_by_handle', 'reboot', 'settimeofday'],
  ...['sethostname', 'syslog', 'personality', 'socket_vsock', 'socket_packet', 'socket_alg'],
  ...['socket_bluetooth', 'socket_raw', 'socket_audit', 'tiocsti', 'tiocsti_high_bits'],
  ...['socket_mptcp', 'socket_sctp', 'socket_udplite', 'socket_xfrm'],
  ...['prlimit_guest', 'regain_bounding', 'chmod_setuid', 'fchmod_setgid', 'fchmodat_setuid'],
  ...['create_setuid', 'mknod_setuid'],
]
const hidden = ['open_guest_memory', 'open_guest_environ', 'list_guest_descriptors']
const hiddenMore = ['open_guest_wire', 'open_guest_score']
const allowed = [
  ...['personality_query', 'socket_route', 'socket_tcp', 'socket_unix', 'socketpair'],
  ...['socket_tcp6', 'socket_udp', 'socket_udp6'],
  ...['prlimit_own', 'core_limit', 'alive', 'create_plain', 'chmod_plain', 'open_mode_ignored'],
]

async function probe(guest: TestGuest): Promise<Map<string, string>> {
  const process = await guest.session.exec({ argv: ['/probe'], env, cwd: '/' }, never)
  const lines = (await textOf(process.stdout)).trim().split('\n')
  expect((await process.exit).code).toBe(0)
  return new Map(
    lines.map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(0, space), line.slice(space + 1)]
    }),
  )
}

describe.skipIf(!(await canBoot()))('a confined command', () => {
  let directory: string
  let program: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-probe-'))
    await chmod(directory, 0o755)
    program = join(directory, 'probe')
    const source = join(import.meta.dirname, 'testing', 'probe.c')
    await promisify(execFile)('cc', ['-static', '-Wall', '-Wextra', '-o', program, source])
  })
  afterAll(() => rm(directory, { recursive: true }))

  const check = (results: Map<string, string>) => {
    const named = (names: readonly string[]) => names.map((name) => [name, results.get(name)])
    expect(named(refused)).toEqual(refused.map((name) => [name, 'EPERM']))
    expect(named(hidden).every(([, result]) => result === 'EACCES' || result === 'EPERM')).toBe(
      true,
    )
    expect(named(hiddenMore).some(([, result]) => result === '0')).toBe(false)
    expect(named(allowed)).toEqual(allowed.map((name) => [name, '0']))
    expect(results.get('clone3')).toBe('ENOSYS')
    expect(results.get('openat2')).toBe('ENOSYS')
    expect(results.get('unknown_call')).toBe('ENOSYS')
    expect(results.get('foreign_table')).toBe('Bad system call')
    if (process.arch === 'x64') expect(results.get('x32')).toBe('EPERM')
  }

  it('cannot reach the guest, the kernel or other networks when it shares the guest’s user', async () => {
    await using guest = await bootGuest({}, ['--ro-bind', program, '/probe'], 'nobody')
    check(await probe(guest))
    const { stdout } = await guest.run('grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status')
    const rights = Object.fromEntries(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(':\t')),
    )
    const none = '0'.repeat(16)
    // The bounding set stays where nobody may shrink it; no_new_privs makes it meaningless.
    expect(rights).toMatchObject({ CapInh: none, CapPrm: none, CapEff: none, CapAmb: none })
    expect(rights).toMatchObject({ NoNewPrivs: '1', Seccomp: '2' })
  })

  it.skipIf(process.getuid?.() !== 0)(
    'cannot do more when the guest is root and it is not',
    async () => {
      const options = { user: { uid: 4242, gid: 4343 } }
      await using guest = await bootGuest(options, ['--ro-bind', program, '/probe'], 'root')
      const results = await probe(guest)
      check(results)
      expect(results.get('setuid_root')).toBe('EPERM')
      const { stdout } = await guest.run(
        'id; grep CapBnd /proc/self/status; ls -l /proc/self/fd | wc -l',
      )
      expect(stdout).toMatch(/^uid=4242 gid=4343 groups=4343\nCapBnd:\t0{16}\n/)
    },
  )

  it.skipIf(process.getuid?.() !== 0)(
    'owns its files when the guest is root and it is not',
    async () => {
      await using guest = await bootGuest(
        { user: { uid: 4242, gid: 4343 } },
        ['--chmod', '1777', '/workspace'],
        'root',
      )
      const { session } = guest
      await session.writeFiles([{ path: '/workspace/d/f', content: Buffer.from('x') }], never)
      expect((await guest.run('stat -c "%u %g" /workspace/d /workspace/d/f')).stdout).toBe(
        '4242 4343\n4242 4343\n',
      )
      await guest.run('ln -s /proc/1/environ /workspace/link')
      await expect(session.readFile('/workspace/link', 1 << 20, never)).rejects.toMatchObject({
        kind: 'denied',
      })
    },
  )

  it('is the first to go when memory runs out', async () => {
    await using guest = await bootGuest()
    expect((await guest.run('cat /proc/self/oom_score_adj')).stdout).toBe('500\n')
    expect((await guest.run('cat /proc/1/oom_score_adj')).stdout).toBe('0\n')
  })

  it('starts with nothing but its three streams open, and default signals', async () => {
    await using guest = await bootGuest()
    const { stdout } = await guest.run('ls /proc/$$/fd; grep -E "^Sig(Blk|Ign)" /proc/self/status')
    expect(stdout).toBe('0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n')
  })
})
