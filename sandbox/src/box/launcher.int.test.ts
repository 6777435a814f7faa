import { spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { locateLauncher } from './launcher.ts'

let directory: string
let launcher: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'aegis-launcher-'))
  launcher = await locateLauncher({ buildDirectory: directory })
})
afterAll(() => rm(directory, { recursive: true }))

async function launch(...args: string[]) {
  const child = spawn(launcher, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const wire = child.stdio[3]
  if (!wire || !('on' in wire) || !child.stderr) throw new Error('no pipes')
  const [stderr, stdout, code] = await Promise.all([
    text(child.stderr),
    text(wire as import('node:stream').Readable),
    exit,
  ])
  return { code, stdout, stderr: stderr.trim() }
}

const asRoot = process.getuid?.() === 0

it('runs a program with the wire as its stdin and stdout, and nothing else open', async () => {
  const { code, stdout } = await launch('--', '/bin/sh', '-c', 'ls /proc/$$/fd; pwd; env')
  expect(code).toBe(0)
  const lines = stdout.trim().split('\n')
  expect(lines.slice(0, 3)).toEqual(['0', '1', '2'])
  expect(lines).toContain('/')
  expect(lines.filter((line) => line.includes('=')).map((line) => line.split('=')[0])).toEqual(
    expect.arrayContaining(['PATH', 'LC_ALL']),
  )
})

it('makes a network that is nothing but the loopback, and passes on what sees the world', async () => {
  const script = `for fd in /proc/$$/fd/*; do readlink "$fd" | grep -q '^socket:' && echo "\${fd##*/}"; done
    cut -d: -f1 /proc/net/dev | tail -n +3; cat /proc/sys/net/ipv4/ip_unprivileged_port_start`
  const { code, stdout } = await launch('--network', '--', '/bin/bash', '-c', script)
  expect(code).toBe(0)
  // The wire, stderr, and a raw socket each for TCP and UDP of IPv4 and IPv6.
  expect(stdout.split(/\s+/).filter(Boolean)).toEqual([
    '0',
    '1',
    '2',
    '3',
    '4',
    '5',
    '6',
    'lo',
    '0',
  ])
})

it('forbids core files and sets the limits it is told', async () => {
  const { stdout } = await launch(
    '--limit',
    'nofile',
    '77',
    '--',
    '/bin/sh',
    '-c',
    'ulimit -c; ulimit -n',
  )
  expect(stdout).toBe('0\n77\n')
})

it.each([
  [[], 'missing: -- PROGRAM'],
  [['--'], 'missing: -- PROGRAM'],
  [['/bin/true'], 'cannot use option: /bin/true'],
  [['--user', '5'], 'cannot use option: --user'],
  [['--user', '0', '0', '--', '/bin/true'], 'refused: --user 0'],
  [['--user', '-1', '5', '--', '/bin/true'], 'not a number in range: -1'],
  [['--user', '4294967295', '5', '--', '/bin/true'], 'not a number in range: 4294967295'],
  [['--user', '5x', '5', '--', '/bin/true'], 'not a number in range: 5x'],
  [['--stage', '/usr', '--', '/bin/true'], '--stage needs: --user'],
  [['--limit', 'stack', '1', '--', '/bin/true'], 'unknown limit: stack'],
  [['--cgroup', '/nowhere/cgroup.procs', '--', '/bin/true'], 'open /nowhere/cgroup.procs: No such'],
  [['--', '/nowhere'], 'exec /nowhere: No such file'],
  [Array(20).fill('--cgroup'), 'cannot use option: --cgroup'],
])('refuses %j and says why', async (args, because) => {
  const { code, stderr } = await launch(...args)
  expect(code).toBe(125)
  expect(stderr).toContain(`launch: ${because}`)
})

it.runIf(asRoot)('becomes another user for good and shows it what was staged', async () => {
  const secret = join(directory, 'secret')
  await writeFile(secret, 'staged')
  const script = 'id -u; id -G; cat /tmp/0; ls /tmp; cat "$0" 2>&1'
  const user = ['--user', '1900099999', '1900099999']
  const { stdout } = await launch(...user, '--stage', secret, '--', '/bin/sh', '-c', script, secret)
  expect(stdout).toMatch(/^1900099999\n1900099999\nstaged0\ncat: .*No such file/)
})

it.runIf(asRoot)('does not stage through a symbolic link', async () => {
  const link = join(directory, 'link')
  await symlink('/etc/shadow', link)
  const user = ['--user', '1900099999', '1900099999']
  const { code, stderr } = await launch(...user, '--stage', link, '--', '/bin/cat', '/tmp/0')
  expect(code).toBe(125)
  expect(stderr).toContain('Too many levels of symbolic links')
})

it.runIf(asRoot)('lends a path as its owner would use it, unless that is root', async () => {
  const lent = join(directory, 'lent')
  await mkdir(lent, { mode: 0o700 })
  const user = ['--user', '1900099999', '1900099999']
  const write = [
    '--lend-write',
    lent,
    '--',
    '/bin/sh',
    '-c',
    'echo $(stat -c %u /tmp/0) > /tmp/0/note',
  ]
  expect((await launch(...user, ...write)).stderr).toBe(`launch: write ${lent}: Permission denied`)
  await chown(lent, 4321, 4321)
  expect(await launch(...user, ...write)).toMatchObject({ code: 0, stderr: '' })
  expect(await readFile(join(lent, 'note'), 'utf8')).toBe('1900099999\n')
  expect(await stat(join(lent, 'note'))).toMatchObject({ uid: 4321, gid: 4321 })
})

it('is compiled once and found again', async () => {
  expect(await locateLauncher({ buildDirectory: directory })).toBe(launcher)
  expect(await locateLauncher({ buildDirectory: '/nowhere', prebuilt: launcher })).toBe(launcher)
})
