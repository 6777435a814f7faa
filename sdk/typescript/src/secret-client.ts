import type { SecretControl } from '@aegis/core'
import {
  secretChanged,
  secretChangedFromWire,
  secretRotation,
  secretRotationFromWire,
  secretSummaries,
  secretSummaryFromWire,
  success,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { secretPath } from './paths.ts'

export function makeSecretClient(transport: HttpTransport): SecretControl {
  return {
    async list() {
      const call = { method: 'GET', path: '/secrets' } as const
      return (await transport.call(call, secretSummaries)).map(secretSummaryFromWire)
    },
    async set(name, { value, agents, hosts, places }) {
      const body = { value: value.reveal(), agents, hosts, places }
      const call = { method: 'PUT', path: secretPath(name), body } as const
      return secretChangedFromWire(await transport.call(call, secretChanged))
    },
    async remove(name) {
      await transport.call({ method: 'DELETE', path: secretPath(name) }, success)
    },
    async rotate({ key } = {}) {
      const call = { method: 'POST', path: '/secrets/rotate', body: { key } } as const
      return secretRotationFromWire(await transport.call(call, secretRotation))
    },
  }
}
