import { type SandboxNetwork, type SandboxSpec, sandboxId } from '@aegis/core'
import type { LimitBackend } from '@aegis/sandbox'
import { expect, it } from 'vitest'
import { checkSpec } from './check-spec.ts'

const limits = { cpuMillicores: 1, memoryBytes: 1, diskBytes: 1, pids: 1, outputBytes: 1 }
const network: SandboxNetwork = { names: ['a.example'], suffixes: [], ports: [443], proxy: true }
const spec: SandboxSpec = {
  id: sandboxId('s'),
  interpreter: { language: 'none', version: '' },
  limits,
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: () => {},
}
const backend: LimitBackend = {
  enforced: { cpu: true, memory: true, pids: true },
  description: 'cgroups',
  remedy: 'none is needed',
  create: () => Promise.reject(new Error('not asked for')),
  sweep: async () => [],
  close: async () => {},
}
const host = (launcherNetwork: boolean) =>
  ({ works: true, bwrapVersion: '0.8', launcherNetwork }) as const

it('refuses a network where only bubblewrap may make one, and says how to allow more', () => {
  expect(() => checkSpec({ ...spec, network }, host(false), backend, [])).toThrow(
    expect.objectContaining({ kind: 'unsupported', code: 'sandbox.network' }),
  )
  expect(() => checkSpec({ ...spec, network }, host(true), backend, [])).not.toThrow()
  expect(() => checkSpec(spec, host(false), backend, [])).not.toThrow()
})
