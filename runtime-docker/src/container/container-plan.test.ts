import { type SandboxSpec, sandboxId } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type ContainerPlanInput, defaultUser, planContainer } from './container-plan.ts'

const spec: SandboxSpec = {
  id: sandboxId('one'),
  interpreter: { language: 'python', version: '3.11', image: 'sha256:1' },
  limits: {
    cpuMillicores: 500,
    memoryBytes: 1 << 28,
    diskBytes: 1 << 24,
    pids: 64,
    outputBytes: 1,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: () => {},
}

function plan(overrides: Partial<ContainerPlanInput> = {}) {
  const body = planContainer({
    spec,
    image: { id: 'sha256:1', env: {}, volumes: [] },
    guestVolume: 'guest',
    workspaceVolume: undefined,
    user: defaultUser,
    ociRuntime: undefined,
    gvisor: false,
    gpus: undefined,
    labels: { 'aegis.owner': 'me' },
    ownedTmpfs: true,
    ...overrides,
  })
  // As the engine gets it.
  return JSON.parse(JSON.stringify(body))
}

const lent = (filesystem: Partial<SandboxSpec['filesystem']>): SandboxSpec => ({
  ...spec,
  filesystem: { ...spec.filesystem, ...filesystem },
})

describe('a container', () => {
  it('has no network, no privileges and nothing writable without a size', () => {
    const { User, NetworkDisabled, HostConfig } = plan()
    expect(User).toBe('65532:65532')
    expect(NetworkDisabled).toBe(true)
    expect(HostConfig).toMatchObject({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      CgroupnsMode: 'private',
      AutoRemove: true,
      LogConfig: { Type: 'none' },
    })
    for (const options of Object.values(HostConfig.Tmpfs))
      expect(options).toMatch(/nosuid,nodev,size=16777216/)
  })

  it('has the limits of its spec, and no swap', () => {
    expect(plan().HostConfig).toMatchObject({
      Memory: 1 << 28,
      MemorySwap: 1 << 28,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      PidsLimit: 64,
      ShmSize: 1 << 24,
    })
  })

  it('runs the guest, whatever its image wants to run', () => {
    expect(plan()).toMatchObject({
      Entrypoint: ['/.aegis/guest'],
      Cmd: [],
      WorkingDir: '/',
      Healthcheck: { Test: ['NONE'] },
    })
    expect(plan().HostConfig.Mounts).toEqual([
      {
        Type: 'volume',
        Source: 'guest',
        Target: '/.aegis',
        ReadOnly: true,
        VolumeOptions: { NoCopy: true },
      },
    ])
  })

  it('has a place with a size for every volume that its image wants', () => {
    const { Tmpfs } = plan({ image: { id: 'x', env: {}, volumes: ['/data', '/tmp'] } }).HostConfig
    expect(Object.keys(Tmpfs).sort()).toEqual(['/data', '/tmp', '/workspace'])
  })

  it('may only read a workspace that is a volume', () => {
    const { Tmpfs, Mounts } = plan({ workspaceVolume: 'files' }).HostConfig
    expect(Object.keys(Tmpfs)).toEqual(['/tmp'])
    expect(Mounts[1]).toMatchObject({ Source: 'files', Target: '/workspace', ReadOnly: true })
  })

  it('gets paths as they are lent, and none of what is mounted below those it may read', () => {
    const { Mounts } = plan({ spec: lent({ read: ['/a', '/b'], write: ['/b'] }) }).HostConfig
    expect(Mounts.slice(1)).toEqual([
      {
        Type: 'bind',
        Source: '/a',
        Target: '/a',
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate', NonRecursive: true },
      },
      {
        Type: 'bind',
        Source: '/b',
        Target: '/b',
        ReadOnly: false,
        BindOptions: { Propagation: 'rprivate', NonRecursive: false },
      },
    ])
    expect(plan({ spec: lent({ read: ['/tmp'] }) }).HostConfig.Tmpfs).not.toHaveProperty('/tmp')
  })

  it('on gVisor is told its processes, with a backstop for those of gVisor itself', () => {
    const { HostConfig } = plan({ gvisor: true, ociRuntime: 'runsc' })
    expect(HostConfig.Runtime).toBe('runsc')
    expect(HostConfig.Ulimits).toEqual([{ Name: 'nproc', Soft: 64, Hard: 64 }])
    expect(HostConfig.PidsLimit).toBeGreaterThan(4 * 64)
  })

  it('gets graphics cards in the way its engine knows', () => {
    const two = { ...spec, limits: { ...spec.limits, gpus: 2 } }
    expect(plan({ spec: two, gpus: 'nvidia' }).HostConfig.DeviceRequests).toEqual([
      { Count: 2, Capabilities: [['gpu']] },
    ])
    expect(plan({ spec: two, gpus: 'cdi' }).HostConfig.DeviceRequests).toEqual([
      { Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=0', 'nvidia.com/gpu=1'] },
    ])
    expect(plan().HostConfig).not.toHaveProperty('DeviceRequests')
  })
})
