import { Duplex } from 'node:stream'
import type {
  ByteStream,
  ConnectTarget,
  GatewayRecorder,
  Logger,
  SandboxDoor,
  SandboxIdentity,
} from '@aegis/core'
import { limits } from '../limits.ts'
import type { AgentServer } from './agent-server.ts'

export interface SandboxDoorDeps {
  readonly server: AgentServer
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  readonly logger: Logger
}

/** Lets one sandbox's connections in: those to the agent API, and no other. */
export function makeSandboxDoor(deps: SandboxDoorDeps): SandboxDoor {
  const { server, identity, recorder, logger } = deps
  const open = new Set<Duplex>()
  const closing = new AbortController()
  const admitted = { identity, recorder, signal: closing.signal, inFlight: { requests: 0 } }

  function deny(target: Exclude<ConnectTarget, { kind: 'agent-api' }>): void {
    const subject = target.kind === 'tcp' ? `${target.host.slice(0, 253)}:${target.port}` : 'proxy'
    const reason = 'A sandbox may connect to the agent API alone, and to no other host.'
    // The refusal stands whether or not it could be recorded.
    recorder.denied({ action: 'network.connect', subject, reason }).catch((err: unknown) => {
      logger.error({ executionId: identity.executionId, err }, 'denial could not be recorded')
    })
  }

  function serve(stream: Duplex): void {
    open.add(stream)
    stream.once('close', () => open.delete(stream))
    server.serve(stream, admitted)
  }

  return {
    connect(target, stream) {
      try {
        if (closing.signal.aborted || open.size >= limits.connections) return stream.destroy()
        if (target.kind === 'agent-api') return serve(duplexOf(stream))
        stream.destroy()
        deny(target)
      } catch (err) {
        logger.error({ executionId: identity.executionId, err }, 'connection could not be served')
        stream.destroy()
      }
    },

    [Symbol.dispose]() {
      closing.abort(new Error('The sandbox has ended.'))
      for (const stream of open) stream.destroy()
    },
  }
}

function duplexOf(stream: ByteStream): Duplex {
  if (stream instanceof Duplex) return stream
  throw new TypeError('The connection of a sandbox is not a stream.Duplex')
}
