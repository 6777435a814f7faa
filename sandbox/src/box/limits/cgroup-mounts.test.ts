import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseCgroupMounts, parseOwnGroup } from './cgroup-mounts.ts'

const hybrid = `24 1 0:22 / /proc rw,relatime - proc proc rw
35 24 0:30 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
36 35 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
37 35 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
38 35 0:33 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
39 35 0:34 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
40 35 0:35 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
41 24 0:33 /docker/x /mnt/again\\040here rw,relatime - cgroup cgroup rw,pids
`

it('finds each controller of version 1 where it was mounted first, and version 2 beside them', () => {
  const { unified, controllers } = parseCgroupMounts(hybrid)
  expect(unified).toBe('/sys/fs/cgroup/unified')
  expect(Object.fromEntries(controllers)).toEqual({
    cpu: '/sys/fs/cgroup/cpu,cpuacct',
    cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
    memory: '/sys/fs/cgroup/memory',
    pids: '/sys/fs/cgroup/pids',
  })
})

it('finds a lone version 2 hierarchy, its path unescaped', () => {
  const line = '30 24 0:26 / /sys/fs/c\\040group rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate'
  expect(parseCgroupMounts(line)).toEqual({ unified: '/sys/fs/c group', controllers: new Map() })
})

it('takes any text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseCgroupMounts(text)
      parseOwnGroup(text)
    }),
  )
})

it('reads the own group of version 2 and ignores those of version 1', () => {
  expect(parseOwnGroup('4:memory:/x\n0::/user.slice/app.scope\n')).toBe('/user.slice/app.scope')
  expect(parseOwnGroup('4:memory:/x\n')).toBeUndefined()
})
