import { whyNotNow } from '../engine/requirements.ts'
import { cloudKernelHostKind } from './hosts/machine-host.ts'
import { describeShortContract } from './sandbox-contract.ts'

// The runtime is the same, and its contract is run elsewhere: what could differ is seen in this part.
describeShortContract(
  { ...cloudKernelHostKind, whyNot: () => whyNotNow() ?? cloudKernelHostKind.whyNot() },
  'is that of the runtime',
)
