import { fakeHostKind } from './hosts/fake-host.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

describeSandboxContract(fakeHostKind)
