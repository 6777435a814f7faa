import type { EngineClient } from '../engine/engine-client.ts'
import { engineRefused } from '../engine/engine-failure.ts'
import type { EngineRequest } from '../engine/engine-transport.ts'

/** An engine that answers as a test wants, and remembers what it was asked. */
export interface FakeEngine {
  readonly client: EngineClient
  /** `METHOD /path` of every request. */
  readonly asked: string[]
}

/** What is thrown is what the engine says. */
export function fakeEngine(answer: (request: EngineRequest) => unknown): FakeEngine {
  const asked: string[] = []
  const ask = async (request: EngineRequest, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted()
    asked.push(`${request.method} ${request.path}`)
    return answer(request)
  }
  const client: EngineClient = {
    endpoint: { kind: 'unix', socketPath: '/fake', name: 'unix:///fake' },
    download: () => Promise.reject(new Error('A fake has no archives')),
    identify: async () => ({ apiVersion: '1.51', ownApiVersion: '1.51', podman: false }),
    call: async (schema, request, signal) => schema.parse(await ask(request, signal)),
    run: async (request, signal) => void (await ask(request, signal)),
    async *stream(schema, request, signal) {
      const values = await ask(request, signal)
      if (!isAsyncIterable(values)) throw new TypeError('A stream is answered by an iterable')
      for await (const value of values) yield schema.parse(value)
    },
    upload: async (id, directory, _, signal) =>
      void (await ask({ method: 'PUT', path: `/containers/${id}${directory}` }, signal)),
    attach: () => Promise.reject(new Error('A fake has no streams')),
    [Symbol.dispose]: () => {},
  }
  return { client, asked }
}

/** The engine says no. */
export const refusal = (status: number, message = 'no'): Error =>
  engineRefused('something', status, JSON.stringify({ message }))

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
