import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openProcessRuntime, sandboxPath } from '@aegis/runtime-process'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { posixCommands } from './contract-commands.ts'
import {
  groupsOf,
  openProcessHost,
  type ProcessHost,
  parentsOf,
  whyNoProcessHost,
} from './hosts/process-host.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

const why = await whyNoProcessHost()
let host: ProcessHost

describe.skipIf(why)(`process runtime${why ? ` (${why})` : ''}`, () => {
  describeSandboxContract('process', {
    async open() {
      host = await openProcessHost()
      return host.runtime
    },
    commands: posixCommands,
    path: sandboxPath,
    expectNothingLeft: () => host.expectNothingLeft(),
    async abandon() {
      const owner = await openProcessHost()
      onTestFinished(() => rm(owner.home, { recursive: true }))
      // Its state is used, itself it is not.
      await owner.runtime[Symbol.asyncDispose]()
      const child = fork(new URL('./abandoning-owner.ts', import.meta.url), {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      })
      child.send(owner.options)
      await once(child, 'message')
      expect((await groupsOf(owner.options.stateDirectory)).length).toBeGreaterThan(0)
      child.kill('SIGKILL')
      await once(child, 'exit')
      const successor = await openProcessRuntime(owner.options)
      expect((await successor.sweep(new AbortController().signal)).removed.length).toBeGreaterThan(
        0,
      )
      await owner.expectNothingLeft()
      return successor
    },
  })

  it.runIf(process.getuid?.() === 0)('a sweep kills what survived its owner', async () => {
    const stubborn = spawn('sh', ['-c', 'trap "" TERM HUP INT; while :; do sleep 1000; done'])
    for (const parent of await parentsOf(host.options.stateDirectory)) {
      const group = join(parent, 'survivor')
      const made = await mkdir(group).then(
        () => true,
        () => false,
      )
      if (made) await writeFile(join(group, 'cgroup.procs'), `${stubborn.pid}`)
    }
    const [{ removed }, [, signal]] = await Promise.all([
      host.runtime.sweep(new AbortController().signal),
      once(stubborn, 'exit'),
    ])
    expect(removed).toEqual([expect.stringMatching(/^cgroup .*\/survivor$/)])
    expect(signal).toBe('SIGKILL')
    await host.expectNothingLeft()
  })

  it('says what this host offers', async () => {
    const findings = await host.runtime.diagnose(new AbortController().signal)
    expect(findings.map(({ name }) => name)).toEqual([
      'bubblewrap',
      'namespaces',
      'cgroups',
      'python3',
      'sandbox users',
    ])
  })

  afterAll(() => host?.[Symbol.asyncDispose]())
})
