import { whyNotNow } from '../engine/requirements.ts'
import { qemuHostKind } from './hosts/machine-host.ts'
import { describeSandboxContract, describeShortContract } from './sandbox-contract.ts'

const why = whyNotNow()
if (why === undefined) describeSandboxContract(qemuHostKind)
else describeShortContract(qemuHostKind, why)
