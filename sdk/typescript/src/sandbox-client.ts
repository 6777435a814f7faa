import type { SandboxControl } from '@aegis/core'
import { sandboxEvent, sandboxStatuses, sandboxStatusFromWire } from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { parseData, readStream } from './read-stream.ts'

export function makeSandboxClient(transport: HttpTransport): SandboxControl {
  return {
    async list(signal) {
      const call = { method: 'GET', path: '/sandboxes', signal } as const
      return (await transport.call(call, sandboxStatuses)).map(sandboxStatusFromWire)
    },
    async *events(signal) {
      if (signal.aborted) return
      const call = { method: 'GET', path: '/sandboxes/events', signal } as const
      try {
        for await (const message of readStream(transport, call)) {
          yield parseData(message, sandboxEvent)
        }
      } catch (error) {
        if (!signal.aborted) throw error
      }
    },
  }
}
