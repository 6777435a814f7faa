import { qemuEgress } from './egress-kinds.ts'
import { egressSuite } from './egress-scene.ts'

egressSuite(qemuEgress())
