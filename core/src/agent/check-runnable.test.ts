import { describe, expect, it } from 'vitest'
import type { SandboxRuntime } from '../sandbox/sandbox-runtime.ts'
import type { Isolation } from '../sandbox/sandbox-spec.ts'
import { aManifest } from '../testing/a-manifest.ts'
import { chooseIsolation, type RunnableDeps } from './check-runnable.ts'

const notHere = () => Promise.reject(new Error('not here'))
const runtimeOf = (isolation: Isolation): SandboxRuntime => ({
  isolation,
  capabilities: notHere,
  boot: notHere,
  sweep: notHere,
  diagnose: notHere,
  [Symbol.asyncDispose]: async () => {},
})

const deps = (...isolations: readonly Isolation[]): RunnableDeps => ({
  runtimes: new Map(isolations.map((one) => [one, runtimeOf(one)])),
  config: {
    default_isolation: 'inherit',
    isolations: ['process', 'docker', 'firecracker'],
    host_paths: { read: [], write: [] },
    allow_weaker: [],
  },
})

describe('an agent that leaves its isolation to the node', () => {
  const gvisor = aManifest('a', { runtime: { sandbox: 'gvisor' } })
  const gpu = aManifest('a', { resources: { gpu: 1 } })

  it('gets the first there is', () => {
    expect(chooseIsolation(deps('process', 'docker'), aManifest('a'))).toBe('process')
  })

  it.each([
    ['an application kernel', gvisor],
    ['a graphics card', gpu],
  ])('gets a container when it wants %s', (_what, manifest) => {
    expect(chooseIsolation(deps('process', 'docker'), manifest)).toBe('docker')
    expect(() => chooseIsolation(deps('process'), manifest)).toThrow('no docker runtime')
  })
})
