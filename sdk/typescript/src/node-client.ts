import type { NodeControl } from '@aegis/core'
import { nodeFindings, nodeStatus, nodeStatusFromWire } from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'

export function makeNodeClient(transport: HttpTransport): NodeControl {
  return {
    async status() {
      return nodeStatusFromWire(await transport.call({ method: 'GET', path: '/node' }, nodeStatus))
    },
    doctor(signal) {
      return transport.call({ method: 'GET', path: '/node/doctor', signal }, nodeFindings)
    },
  }
}
