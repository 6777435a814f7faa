import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { basename, join } from 'node:path'
import type { FakeVmmPlan } from './fake-vmm-plan.ts'

const single = new Set([
  'id',
  'exec-file',
  'uid',
  'gid',
  'chroot-base-dir',
  'netns',
  'cgroup-version',
  'parent-cgroup',
])
const many = new Set(['cgroup', 'resource-limit'])
const flags = new Set(['daemonize', 'new-pid-ns', 'version'])

/** Does what the jailer does but for namespaces, the change of the root, and devices. */
export function runFakeJailer(plan: FakeVmmPlan, argv: readonly string[]): void {
  const given = parse(argv)
  if (plan.jailerFails !== undefined) fail(plan.jailerFails)
  const one = (name: string) => given.get(name)?.[0] ?? fail(`Argument '${name}' required.`)
  const id = one('id')
  if (!/^[A-Za-z0-9-]{1,64}$/.test(id)) fail(`Invalid instance ID: ${id}`)
  const base = fs.realpathSync(one('chroot-base-dir'))
  const executable = fs.realpathSync(one('exec-file'))
  const name = basename(executable)
  const root = join(base, name, id, 'root')
  const [uid, gid] = [Number(one('uid')), Number(one('gid'))]

  const version = given.get('cgroup-version')?.[0] ?? '1'
  const parent = given.get('parent-cgroup')?.[0] ?? name
  for (const assignment of given.get('cgroup') ?? []) place(assignment, version, `${parent}/${id}`)
  fs.mkdirSync(root, { recursive: true })
  const program = join(root, name)
  fs.copyFileSync(executable, program, fs.constants.COPYFILE_EXCL)
  fs.chownSync(program, uid, gid)
  for (const folder of ['/', '/dev', '/dev/net', '/run']) {
    fs.mkdirSync(join(root, folder), { recursive: true })
    fs.chmodSync(join(root, folder), 0o700)
    fs.chownSync(join(root, folder), uid, gid)
  }
  for (const device of ['kvm', 'net/tun', 'urandom'])
    fs.writeFileSync(join(root, 'dev', device), '', { flag: 'wx' })
  const own = [
    '--id',
    id,
    '--start-time-us',
    '0',
    '--start-time-cpu-us',
    '0',
    '--parent-cpu-time-us',
    '0',
  ]
  const child = spawn(`./${name}`, [...own, ...(given.get('--') ?? [])], {
    ...{ cwd: root, uid, gid, env: {}, stdio: 'inherit', detached: given.has('new-pid-ns') },
  })
  fs.writeFileSync(`${program}.pid`, `${child.pid}`, { flag: 'wx' })
  child.unref()
  process.exit(0)
}

function parse(argv: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const given = new Map<string, string[]>()
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? ''
    if (argument === '--') {
      given.set('--', argv.slice(i + 1))
      break
    }
    const name = argument.replace(/^--/, '')
    if (flags.has(name)) given.set(name, [])
    else if (many.has(name)) given.set(name, [...(given.get(name) ?? []), argv[++i] ?? ''])
    else if (single.has(name) && !given.has(name)) given.set(name, [argv[++i] ?? ''])
    else fail(`Found argument '${name}' which wasn't expected, or isn't valid in this context.`)
  }
  return given
}

/** Writes a value into the group's file, and moves into the group. */
function place(assignment: string, version: string, group: string): void {
  const [file = '', value = ''] = assignment.split('=')
  const controller = file.split('.')[0] ?? ''
  const mounts = fs
    .readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
  const mount = mounts.find(([, , type, options]) =>
    version === '2'
      ? type === 'cgroup2'
      : type === 'cgroup' && options?.split(',').includes(controller),
  )
  if (mount?.[1] === undefined) fail('No hierarchy found for this cgroup version.')
  const directory = join(mount[1], group)
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(join(directory, file), value)
  fs.writeFileSync(join(directory, 'cgroup.procs'), `${process.pid}`)
}

function fail(words: string): never {
  // As the real one does: for people, and then as what main() returned.
  process.stderr.write(`${words}\nError: ${words}\n`)
  process.exit(1)
}
