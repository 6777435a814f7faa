/** What `/info` of real engines says, as far as it is looked at. */
export const debianDocker = {
  ServerVersion: '20.10.24+dfsg1',
  Architecture: 'x86_64',
  OperatingSystem: 'Debian GNU/Linux 12 (bookworm)',
  CgroupDriver: 'cgroupfs',
  CgroupVersion: '1',
  MemoryLimit: true,
  SwapLimit: true,
  PidsLimit: true,
  CpuCfsQuota: true,
  DefaultRuntime: 'runc',
  Runtimes: {
    'io.containerd.runc.v2': { path: 'runc' },
    runc: { path: 'runc' },
    runsc: { path: '/usr/bin/runsc', runtimeArgs: ['--network=none'] },
  },
  SecurityOptions: ['name=seccomp,profile=default'],
} as const

export const rootlessDocker = {
  ...debianDocker,
  ServerVersion: '28.5.1',
  CgroupDriver: 'none',
  CgroupVersion: '2',
  MemoryLimit: false,
  SwapLimit: false,
  PidsLimit: false,
  CpuCfsQuota: false,
  Runtimes: { runc: { path: 'runc', status: {} } },
  SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless', 'name=cgroupns'],
} as const
