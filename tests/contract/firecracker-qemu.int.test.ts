import { qemuHostKind } from './hosts/machine-host.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

describeSandboxContract(qemuHostKind)
