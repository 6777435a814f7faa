import { type SandboxSpec, sandboxId } from '@aegis/core'
import { expect, it } from 'vitest'
import { checkMachineSpec } from './check-machine-spec.ts'

const spec: SandboxSpec = {
  id: sandboxId('one'),
  interpreter: { language: 'python', version: '3.11', image: 'sha256:1' },
  limits: {
    cpuMillicores: 1000,
    memoryBytes: 128 << 20,
    diskBytes: 64 << 20,
    pids: 32,
    outputBytes: 1 << 20,
  },
  filesystem: { read: [], write: [], readOnly: false },
  onConnect: (_, stream) => stream.destroy(),
}

it('takes what a machine can give', () => {
  expect(checkMachineSpec(spec)).toEqual({ image: 'sha256:1' })
})

it.each<[string, Partial<SandboxSpec>, string]>([
  ['host paths to read', { filesystem: { ...spec.filesystem, read: ['/data'] } }, 'host-paths'],
  ['host paths to write', { filesystem: { ...spec.filesystem, write: ['/data'] } }, 'host-paths'],
  ['graphics cards', { limits: { ...spec.limits, gpus: 1 } }, 'gpus'],
  ['another kernel', { applicationKernel: 'gvisor' }, 'kernel'],
  ['next to no memory', { limits: { ...spec.limits, memoryBytes: 16 << 20 } }, 'memory'],
  ['no image', { interpreter: { language: 'python', version: '3.11' } }, 'image'],
])('refuses %s, and says what to do instead', (_, change, name) => {
  expect(() => checkMachineSpec({ ...spec, ...change })).toThrow(
    expect.objectContaining({ kind: 'unsupported', code: `sandbox.${name}` }),
  )
})
