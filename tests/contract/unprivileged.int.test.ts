import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, readdir, realpath, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { locateGuest, locateLauncher } from '@aegis/sandbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testKernel } from '../engine/guest-kernel.ts'
import { imageDisk } from '../engine/image-disk.ts'
import { whyNoQemu } from '../engine/requirements.ts'
import { whyNoProcessHost } from './hosts/process-host.ts'

const uid = 4242
const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const buildDirectory = join(repository, 'node_modules/.cache/aegis')
const why =
  process.getuid?.() === 0 ? await whyNoProcessHost() : 'only root can become another user'

interface Report {
  readonly uid: number
  readonly limits: Record<string, boolean>
  readonly findings: readonly { name: string; state: string }[]
  readonly outcomes: Record<string, unknown>
  readonly refused?: { code: string; message: string }
}

/** As it is seen by whom `runAsStranger` runs. */
const inside = (path: string) => path.replace(repository, '/tmp/0')
const strangersState = '/tmp/2/state'

async function asStranger(request: Readonly<Record<string, unknown>>): Promise<Report> {
  const [launcher, guest] = await Promise.all([
    locateLauncher({ buildDirectory }),
    locateGuest({ buildDirectory }),
  ])
  return runAsStranger('unprivileged-daemon.ts', {
    stateDirectory: strangersState,
    guestPath: inside(guest),
    launcherPath: inside(launcher),
    nodePath: '/tmp/1/node',
    protectedPaths: ['/tmp/2'],
    ...request,
  })
}

async function machinesAsStranger(request: Readonly<Record<string, unknown>>): Promise<Report> {
  const [launcher, guest, kernels, node] = await Promise.all([
    locateLauncher({ buildDirectory }),
    locateGuest({ buildDirectory }),
    testKernel(),
    imageDisk('node'),
  ])
  const monitor = { stateDirectory: strangersState, launcherPath: inside(launcher), kvm: false }
  return runAsStranger('unprivileged-machines.ts', {
    monitor,
    guestPath: inside(guest),
    kernelDirectory: inside(kernels),
    images: { node: inside(node) },
    snapshotDirectory: '/tmp/2/snapshots',
    timing: {},
    ...request,
  })
}

/**
 * Runs a program of this folder as a user without any privilege. The launcher stages repository and
 * Node for it, so that it does not matter below whose 0700 home they lie.
 */
async function runAsStranger(
  program: string,
  request: Readonly<Record<string, unknown>>,
): Promise<Report> {
  const launcher = await locateLauncher({ buildDirectory })
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-stranger-')))
  onTestFinished(() => rm(home, { recursive: true }))
  await chown(home, uid, uid)
  const node = await realpath(process.execPath)
  const child = spawn(
    launcher,
    [
      ...['--user', `${uid}`, `${uid}`, '--stage', repository],
      ...['--stage', dirname(node), '--lend-write', home, '--', '/tmp/1/node'],
      ...[`/tmp/0/tests/contract/${program}`, JSON.stringify(request)],
    ],
    { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
  )
  const exited = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([
    text(child.stdio[3] as Readable),
    text(child.stdio[2] as Readable),
  ])
  const [code] = await exited
  if (code !== 0) throw new Error(`The daemon exited with ${code}: ${stderr}`)
  return JSON.parse(stdout)
}

/** Groups in every hierarchy that the stranger may write to, as an administrator would make them. */
async function delegatedParent(): Promise<string> {
  const name = `aegis-test-${process.pid}`
  for (const hierarchy of await readdir('/sys/fs/cgroup')) {
    const directory = join('/sys/fs/cgroup', hierarchy, name)
    await mkdir(directory)
    onTestFinished(() => removeTree(directory))
    await chown(directory, uid, uid)
    for (const file of ['cgroup.procs', 'cgroup.subtree_control'])
      await chown(join(directory, file), uid, uid).catch(() => {})
  }
  return name
}

async function removeTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(directory, entry.name))
  await rmdir(directory)
}

describe.skipIf(why)(`a daemon without privileges${why ? ` (${why})` : ''}`, () => {
  it('isolates and limits agents all the same, in cgroups that were delegated to it', async () => {
    const report = await asStranger({ cgroupParent: await delegatedParent() })
    expect(report.uid).toBe(uid)
    expect(report.limits).toEqual({ cpu: true, memory: true, pids: true, disk: true })
    expect(report.outcomes).toEqual({
      echo: 'hello\n',
      user: '1000\n',
      secret: '',
      memory: 'memory_limit',
      processes: 'pids_limit',
      disk: 'disk_limit',
      denied: JSON.stringify({ kind: 'dns-denied', name: 'denied.example' }),
      captured: JSON.stringify({
        kind: 'connect-denied',
        protocol: 'tcp',
        address: '8.8.8.8',
        port: 853,
      }),
      called: JSON.stringify({ kind: 'tcp', host: 'a.example', port: 80 }),
      readOnly: 'kept',
      terminal: 'tty',
      left: [],
    })
  })

  it('refuses to run agents without limits, and says how to get them', async () => {
    const report = await asStranger({})
    expect(report.limits).toEqual({ cpu: false, memory: false, pids: false, disk: true })
    expect(report.refused?.code).toBe('sandbox.limits')
    expect(report.refused?.message).toMatch(/memory.*Remedy: .*allow_weaker/s)
    expect(report.findings).toContainEqual(
      expect.objectContaining({ name: 'cgroups', state: 'missing' }),
    )
  })

  it('runs them without limits when the operator allows that by name, and warns', async () => {
    const report = await asStranger({ allowWeaker: ['cgroup'] })
    expect(report.outcomes).toMatchObject({ echo: 'hello\n', disk: 'disk_limit', left: [] })
    expect(report.findings).toContainEqual(
      expect.objectContaining({ name: 'cgroups', state: 'warning' }),
    )
  })

  const whyNoMachines = whyNoQemu()
  describe.skipIf(whyNoMachines)(
    `with micro-VMs${whyNoMachines ? ` (${whyNoMachines})` : ''}`,
    () => {
      it('boots none whose cpu it cannot limit', async () => {
        const report = await machinesAsStranger({})
        expect(report.limits).toEqual({ cpu: false, memory: true, pids: true, disk: true })
        expect(report.refused?.code).toBe('sandbox.limits')
      })

      it('boots them, out of snapshots too, when the operator allows that by name', async () => {
        const report = await machinesAsStranger({ allowWeaker: ['cgroup'] })
        expect(report).toMatchObject({
          uid,
          outcomes: { booted: 'hello\n', restored: 'waited', left: [] },
        })
        expect(report.findings).toContainEqual(
          expect.objectContaining({ name: 'cgroups', state: 'warning' }),
        )
      })
    },
  )
})
