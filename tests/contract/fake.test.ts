import { fakeContractCommands, fakePrograms } from './fake-commands.ts'
import { openFakeRuntime } from './fake-runtime.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

describeSandboxContract('fake runtime', {
  open: async () => openFakeRuntime({ commands: fakePrograms }),
  commands: fakeContractCommands,
  path: '/bin',
})
