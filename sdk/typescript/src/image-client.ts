import type { ImageControl } from '@aegis/core'
import {
  image,
  imageFromWire,
  imageSummaries,
  imageSummaryFromWire,
  pruneResult,
  pruneResultFromWire,
} from '@aegis/http-contract'
import type { HttpTransport } from './http-transport.ts'
import { readOutcome } from './read-stream.ts'

export function makeImageClient(transport: HttpTransport): ImageControl {
  return {
    async list({ all } = {}) {
      const call = { method: 'GET', path: '/images', query: { all } } as const
      return (await transport.call(call, imageSummaries)).map(imageSummaryFromWire)
    },
    async pull(reference, onProgress, signal) {
      const call = { method: 'POST', path: '/images/pull', body: { reference }, signal } as const
      const last = { event: 'pulled', schema: image }
      return imageFromWire(await readOutcome(transport, call, last, onProgress))
    },
    async prepare(reference, onProgress, signal) {
      const call = { method: 'POST', path: '/images/prepare', body: { reference }, signal } as const
      const last = { event: 'prepared', schema: image }
      return imageFromWire(await readOutcome(transport, call, last, onProgress))
    },
    async build({ archive, name }, onProgress, signal) {
      const query = { name }
      const call = { method: 'POST', path: '/images/build', query, archive, signal } as const
      const last = { event: 'built', schema: image }
      return imageFromWire(await readOutcome(transport, call, last, onProgress))
    },
    async prune() {
      const call = { method: 'POST', path: '/images/prune' } as const
      return pruneResultFromWire(await transport.call(call, pruneResult))
    },
  }
}
