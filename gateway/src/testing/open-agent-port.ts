import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { GatewayRecorder, LlmCall, SandboxIdentity } from '@aegis/core'
import type { Gateway } from '../open-gateway.ts'

/** What a gateway reported, in order. */
export interface Recording extends GatewayRecorder {
  readonly calls: LlmCall[]
  readonly denials: { action: string; subject: string; reason: string }[]
}

export function makeRecording(): Recording {
  const calls: LlmCall[] = []
  const denials: Recording['denials'] = []
  return {
    calls,
    denials,
    async llmCalled(call) {
      calls.push(call)
    },
    async denied(action, subject, reason) {
      denials.push({ action, subject, reason })
    },
  }
}

export const testIdentity: SandboxIdentity = {
  executionId: 'execution-1',
  agentId: 'agent-1',
  agentName: 'tester',
  iteration: 1,
  defaultModel: 'default',
}

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
