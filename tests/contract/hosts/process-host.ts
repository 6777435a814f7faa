import { createHash } from 'node:crypto'
import { access, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Sandbox, SandboxRuntime } from '@aegis/core'
import {
  locateLauncher,
  openProcessRuntime,
  type ProcessRuntimeOptions,
} from '@aegis/runtime-process'
import { locateGuest } from '@aegis/sandbox'
import { expect } from 'vitest'
import { type SpecOverrides, specWith } from '../sandbox-driver.ts'

/** A process runtime with a state directory of its own, and a look at what it leaves behind. */
export interface ProcessHost extends AsyncDisposable {
  readonly runtime: SandboxRuntime
  readonly options: ProcessRuntimeOptions
  /** A directory like AEGIS_HOME, with `secret` in it. */
  readonly home: string
  /** Boots a sandbox that ends with the test. */
  boot(overrides: SpecOverrides): Promise<Sandbox>
  /** Fails when a process, cgroup, mount or directory of a sandbox is still there. */
  expectNothingLeft(): Promise<void>
  /** For `afterEach`: ends what the test booted and expects that nothing is left of it. */
  tidy(): Promise<void>
}

const buildDirectory = fileURLToPath(new URL('../../../node_modules/.cache/aegis', import.meta.url))

/** Why the process runtime cannot be tested here; `AEGIS_REQUIRE=bwrap` makes that a failure. */
export async function whyNoProcessHost(): Promise<string | undefined> {
  const found = await access('/usr/bin/bwrap').then(
    () => true,
    () => false,
  )
  if (found) return undefined
  const reason = 'bubblewrap is not installed: apt-get install bubblewrap'
  if ((process.env.AEGIS_REQUIRE ?? '').split(',').includes('bwrap')) throw new Error(reason)
  return reason
}

export async function openProcessHost(
  overrides: Partial<ProcessRuntimeOptions> = {},
): Promise<ProcessHost> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'aegis-home-')))
  const [guestPath, launcherPath] = await Promise.all([
    locateGuest({ buildDirectory }),
    locateLauncher({ buildDirectory }),
  ])
  const options: ProcessRuntimeOptions = {
    stateDirectory: join(home, 'runtime-process'),
    guestPath,
    launcherPath,
    nodePath: process.execPath,
    protectedPaths: [home],
    ...overrides,
  }
  const runtime = await openProcessRuntime(options)
  const booted: Sandbox[] = []
  const expectNothingLeft = async () => {
    expect(await groupsOf(options.stateDirectory, options.cgroupParent)).toEqual([])
    expect(await readdir(join(options.stateDirectory, 'workspaces')).catch(() => [])).toEqual([])
    expect(await mountsBelow(home)).toEqual([])
    expect(await childrenOfThisProcess()).not.toContain('bwrap')
  }
  return {
    runtime,
    options,
    home,
    async boot(overrides) {
      const sandbox = await runtime.boot(specWith(overrides), new AbortController().signal)
      booted.push(sandbox)
      return sandbox
    },
    expectNothingLeft,
    async tidy() {
      await Promise.all(booted.splice(0).map((sandbox) => sandbox[Symbol.asyncDispose]()))
      await expectNothingLeft()
    },
    async [Symbol.asyncDispose]() {
      await runtime[Symbol.asyncDispose]()
      await rm(home, { recursive: true, force: true })
    },
  }
}

/**
 * All cgroups of sandboxes below the one named after the state directory. A group can only be gone
 * when no process is in it, and a sandbox's processes cannot leave theirs: no group, no process.
 */
export async function groupsOf(
  stateDirectory: string,
  cgroupParent = 'aegis',
): Promise<readonly string[]> {
  const found = (await parentsOf(stateDirectory, cgroupParent)).map(async (at) => {
    const entries = await readdir(at, { withFileTypes: true }).catch(() => [])
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(at, name))
  })
  return (await Promise.all(found)).flat()
}

/** The groups above those of sandboxes, one per hierarchy; not all of them exist. */
export async function parentsOf(
  stateDirectory: string,
  cgroupParent = 'aegis',
): Promise<readonly string[]> {
  const tag = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 12)
  const own =
    /^0::(\/.*?)(\/daemon)?$/m.exec(await readFile('/proc/self/cgroup', 'utf8'))?.[1] ?? ''
  const root = '/sys/fs/cgroup'
  const hierarchies = (await readdir(root)).map((name) => join(root, name, cgroupParent))
  const parents = [...hierarchies, join(root, cgroupParent), join(root, own, 'sandboxes')]
  return parents.map((parent) => join(parent, tag))
}

async function mountsBelow(directory: string): Promise<readonly string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  return lines.filter((line) => line.includes(directory))
}

async function childrenOfThisProcess(): Promise<readonly string[]> {
  const tasks = await readdir('/proc/self/task')
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '')),
  )
  const pids = lists.flatMap((list) => list.split(' ')).filter((pid) => pid !== '')
  const names = pids.map((pid) => readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''))
  return (await Promise.all(names)).map((name) => name.trim())
}
