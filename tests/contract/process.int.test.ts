import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  openProcessHost,
  type ProcessHost,
  parentsOf,
  processHostKind,
  whyNoProcessHost,
} from './hosts/process-host.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

describeSandboxContract(processHostKind)

const why = whyNoProcessHost()

describe.skipIf(why)(`process: besides the contract${why ? ` (${why})` : ''}`, () => {
  let host: ProcessHost
  beforeAll(async () => {
    host = await openProcessHost()
  })
  afterAll(() => host?.[Symbol.asyncDispose]())

  it.runIf(process.getuid?.() === 0)('a sweep kills what survived its owner', async () => {
    const stubborn = spawn('sh', ['-c', 'trap "" TERM HUP INT; while :; do sleep 1; done'])
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
})
