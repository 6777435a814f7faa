import { type SandboxSpec, sandboxId } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { readEngineFacts } from '../engine/engine-facts.ts'
import { debianDocker, rootlessDocker } from '../testing/engine-answers.ts'
import { fakeEngine } from '../testing/fake-engine.ts'
import { checkDockerSpec, type SpecRules } from './check-docker-spec.ts'

const spec: SandboxSpec = {
  id: sandboxId('one'),
  interpreter: { language: 'python', version: '3.11' },
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
const rules: SpecRules = { ociRuntime: undefined, allowWeaker: [], guestArchitecture: 'x64' }
const factsOf = (info: object) =>
  readEngineFacts(fakeEngine(() => info).client, new AbortController().signal)
const docker = await factsOf(debianDocker)

describe('an engine', () => {
  it('runs ordinary sandboxes by its own OCI runtime', () => {
    expect(checkDockerSpec(spec, docker, rules)).toEqual({ ociRuntime: undefined, gvisor: false })
  })

  it('runs those that want gVisor by it, and all when the operator says so', () => {
    const wanted = { ...spec, applicationKernel: 'gvisor' } as const
    const gvisor = { ociRuntime: 'runsc', gvisor: true }
    expect(checkDockerSpec(wanted, docker, rules)).toEqual(gvisor)
    expect(checkDockerSpec(spec, docker, { ...rules, ociRuntime: 'runsc' })).toEqual(gvisor)
  })

  it('refuses what it has not: a runtime, gVisor, graphics cards', async () => {
    const plain = await factsOf({ ...debianDocker, Runtimes: { runc: { path: 'runc' } } })
    const wanted = { ...spec, applicationKernel: 'gvisor' } as const
    const refused = (code: string) => expect.objectContaining({ kind: 'unsupported', code })
    expect(() => checkDockerSpec(wanted, plain, rules)).toThrow(refused('sandbox.runtime'))
    expect(() => checkDockerSpec(spec, plain, { ...rules, ociRuntime: 'kata' })).toThrow(
      refused('sandbox.runtime'),
    )
    const cards = { ...spec, limits: { ...spec.limits, gpus: 1 } }
    expect(() => checkDockerSpec(cards, plain, rules)).toThrow(refused('sandbox.gpus'))
  })

  it('that keeps no limits is refused, unless the operator accepts that by name', async () => {
    const weak = await factsOf(rootlessDocker)
    expect(() => checkDockerSpec(spec, weak, rules)).toThrow(/cpu, memory, pids/)
    checkDockerSpec(spec, weak, { ...rules, allowWeaker: ['cgroup'] })
  })

  it('with a gVisor that ignores cgroups keeps no limits by it', async () => {
    const ignoring = { path: '/usr/bin/runsc', runtimeArgs: ['--ignore-cgroups'] }
    const facts = await factsOf({ ...debianDocker, Runtimes: { runc: {}, runsc: ignoring } })
    const wanted = { ...spec, applicationKernel: 'gvisor' } as const
    expect(() => checkDockerSpec(wanted, facts, rules)).toThrow(/ignore cgroups/)
    checkDockerSpec(spec, facts, rules)
  })

  it('on another kind of machine cannot run our guest', () => {
    const arm = { ...rules, guestArchitecture: 'arm64' }
    expect(() => checkDockerSpec(spec, docker, arm)).toThrow(/x86_64/)
  })
})
