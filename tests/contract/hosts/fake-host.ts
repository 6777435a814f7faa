import { fakeContractCommands, fakePrograms } from '../fake-commands.ts'
import { openFakeRuntime } from '../fake-runtime.ts'
import { makeHost } from './make-host.ts'
import type { SandboxHostKind } from './sandbox-host.ts'

/** The runtime that tests of the domain use instead of a real one. */
export const fakeHostKind: SandboxHostKind = {
  name: 'fake',
  whyNot: () => undefined,
  commands: fakeContractCommands,
  path: '/bin',
  environment: {},
  guestPlace: '/guest',
  outlivesLimits: true,
  terminalsAct: true,
  bootsImages: false,
  containers: false,
  lends: true,
  ownKernel: false,
  slowness: 1,
  hostCores: 1,
  async open() {
    const runtime = openFakeRuntime({ commands: fakePrograms })
    return makeHost({
      kind: fakeHostKind,
      runtime,
      home: '/nowhere',
      traces: async () => runtime.live(),
      close: async () => {},
    })
  },
}
