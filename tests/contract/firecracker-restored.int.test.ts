import { whyNotNow } from '../engine/requirements.ts'
import { openMachineHost, qemuHostKind } from './hosts/machine-host.ts'
import { restoringRuntime } from './hosts/restoring-runtime.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

/** Whatever holds of a machine that was booted holds of one that came out of a snapshot. */
describeSandboxContract({
  ...qemuHostKind,
  name: 'firecracker/qemu, out of snapshots',
  // Not all of the images that are tried have a program that could wait.
  bootsImages: false,
  whyNot: () => whyNotNow() ?? qemuHostKind.whyNot(),
  open: (options) => openMachineHost(options, { disguise: restoringRuntime }),
})
