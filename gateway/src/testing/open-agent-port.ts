import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type {
  AccessDenial,
  ConnectionEnd,
  ConnectionStart,
  GatewayRecorder,
  LlmCall,
  SandboxIdentity,
  SecretUse,
} from '@aegis/core'
import { anIdentity } from '@aegis/core/testing'
import type { Gateway } from '../open-gateway.ts'

/** What a gateway reported, in order. */
export interface Recording extends GatewayRecorder {
  readonly calls: LlmCall[]
  readonly denials: AccessDenial[]
  readonly started: ConnectionStart[]
  readonly ended: ConnectionEnd[]
  readonly secretUses: SecretUse[]
}

export function makeRecording(): Recording {
  const calls: LlmCall[] = []
  const denials: AccessDenial[] = []
  const started: ConnectionStart[] = []
  const ended: ConnectionEnd[] = []
  const secretUses: SecretUse[] = []
  return {
    calls,
    denials,
    started,
    ended,
    secretUses,
    async llmCalled(call) {
      calls.push(call)
    },
    async denied(denial) {
      denials.push(denial)
    },
    async connecting(start) {
      started.push(start)
    },
    async disconnected(end) {
      ended.push(end)
    },
    async secretUsed(use) {
      secretUses.push(use)
    },
  }
}

export const testIdentity = anIdentity()

/** A port on the loopback whose connections go through a sandbox's door, as real clients need it. */
export async function openAgentPort(
  gateway: Gateway,
  recorder: GatewayRecorder = makeRecording(),
  identity: SandboxIdentity = testIdentity,
): Promise<AsyncDisposable & { readonly url: string }> {
  const door = gateway.admit(identity, recorder)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    door.connect({ kind: 'agent-api' }, socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      door[Symbol.dispose]()
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
