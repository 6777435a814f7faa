import { sandboxId } from '@aegis/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { jailerArguments } from './jailer-arguments.ts'
import { jailerGroup } from './jailer-group.ts'

const limits = { memoryBytes: 128 << 20, cpuMillicores: 500, pids: 17 }
const command = {
  id: sandboxId('vm-1'),
  firecrackerPath: '/usr/bin/firecracker',
  chrootBase: '/srv/jailer',
  uid: 1_900_000_007,
  group: undefined,
  fileBytes: 1 << 30,
}

it('names a uid and a gid of the machine alone, a new pid namespace and limits of resources', () => {
  const words = jailerArguments(command).join(' ')
  expect(words).toContain('--uid 1900000007 --gid 1900000007')
  expect(words).toContain('--new-pid-ns')
  expect(words).toContain('--resource-limit no-file=256 --resource-limit fsize=1073741824')
})

it('says the version of cgroups always, since the jailer would take the first for granted', () => {
  const v2 = jailerGroup(
    ['/sys/fs/cgroup/aegis/home/vm-1/cgroup.procs'],
    limits,
    'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
  )
  expect(jailerArguments({ ...command, group: v2 }).join(' ')).toContain(
    '--cgroup-version 2 --parent-cgroup aegis/home --cgroup memory.max=134217728 --cgroup cpu.max=50000 100000 --cgroup pids.max=17',
  )
})

it('places a machine in the hierarchies of version 1, also beside an empty version 2', () => {
  const mounts =
    'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n'
  const files = [
    '/sys/fs/cgroup/unified/aegis/home/vm-1/cgroup.procs',
    '/sys/fs/cgroup/memory/aegis/home/vm-1/cgroup.procs',
  ]
  expect(jailerGroup(files, limits, mounts)).toEqual({
    version: 1,
    parent: 'aegis/home',
    values: [
      ['memory.limit_in_bytes', '134217728'],
      ['cpu.cfs_period_us', '100000'],
      ['cpu.cfs_quota_us', '50000'],
      ['pids.max', '17'],
    ],
  })
})

it('never turns the filter of system calls off', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/), fc.nat(), (id, fileBytes) => {
      const words = jailerArguments({ ...command, id: sandboxId(id), fileBytes })
      expect(words.join(' ')).not.toMatch(/seccomp|daemonize|netns/)
      expect(words.slice(words.indexOf('--'))).toEqual([
        ...['--', '--api-sock', '/api.sock', '--level', 'Warning'],
      ])
    }),
  )
})

it('asks for no PCI, so that Firecracker tells the kernel to look for none', () => {
  expect(jailerArguments(command).join(' ')).not.toContain('pci')
})

it.each([
  '',
  '-',
  '--',
  '-x',
  'a b',
  'a/b',
  '..',
  'a\n',
  'x'.repeat(65),
])('refuses %j as the name of a machine', (id) => {
  expect(() => jailerArguments({ ...command, id: sandboxId(id) })).toThrow(
    expect.objectContaining({ code: 'machine.id' }),
  )
})
