import { expect, it } from 'vitest'
import { diagnoseHost } from './diagnose-firecracker.ts'
import { cgroupVersion, type HostFacts, usersWithin } from './host-facts.ts'

const good: HostFacts = {
  kernel: '6.1.0-28-cloud-amd64',
  cgroupVersion: 2,
  ...{ smt: false, ksm: false, swap: false, vulnerable: [], namedUsers: [] },
}

it('finds nothing wrong with a host as the guide wants it', () => {
  for (const finding of diagnoseHost(good)) expect(finding.state).toBe('ok')
})

it.each([
  [{ smt: true }, 'SMT', 'nosmt'],
  [{ ksm: true }, 'KSM', 'echo 0 > /sys/kernel/mm/ksm/run'],
  [{ swap: true }, 'swap', 'swapoff -a'],
  [{ kernel: '6.12.1' }, 'host kernel', '6.18'],
  [{ cgroupVersion: 1 as const }, 'cgroup version', 'unified_cgroup_hierarchy=1'],
  [{ cgroupVersion: undefined }, 'cgroup version', 'unified_cgroup_hierarchy=1'],
  [{ vulnerable: ['meltdown'] }, 'processor', 'mitigations=off'],
  [{ namedUsers: ['ann'] }, 'users of machines', 'uid_range'],
])('warns of %j, with the remedy', (fact, name, remedy) => {
  const wrong = diagnoseHost({ ...good, ...fact }).filter(({ state }) => state !== 'ok')
  expect(wrong).toEqual([
    expect.objectContaining({ name, remedy: expect.stringContaining(remedy) }),
  ])
})

it('takes a host with controllers of version 1 for one of version 1', () => {
  const hybrid =
    'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0'
  expect(cgroupVersion(hybrid)).toBe(1)
  expect(cgroupVersion('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0')).toBe(2)
  expect(cgroupVersion('proc /proc proc rw 0 0')).toBeUndefined()
})

it('finds who has a uid of the range', () => {
  const passwd = 'root:x:0:0::/root:/bin/sh\nann:x:1500:1500::/home/ann:/bin/sh\n'
  expect(usersWithin(passwd, { first: 1000, count: 501 })).toEqual(['ann'])
  expect(usersWithin(passwd, { first: 1501, count: 10 })).toEqual([])
})
