import { runcHostKind } from './hosts/docker-host.ts'
import { describeSandboxContract } from './sandbox-contract.ts'

describeSandboxContract(runcHostKind)
