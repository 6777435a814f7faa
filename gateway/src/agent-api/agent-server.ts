import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import {
  type AccessDenial,
  AegisError,
  type GatewayRecorder,
  type Logger,
  type SandboxIdentity,
} from '@aegis/core'
import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'
import { type HeadDeadline, watchHead } from './head-deadline.ts'
import type { Routes } from './routes.ts'
import { sendFault } from './send.ts'

/** Serves HTTP/1.1 on streams that were let in; it listens on no port. */
export interface AgentServer extends Disposable {
  serve(stream: Duplex, admitted: Admitted): void
}

/** Whose stream it is. */
export interface Admitted {
  readonly identity: SandboxIdentity
  readonly recorder: GatewayRecorder
  /** Records a refusal. Never throws. */
  readonly deny: (denial: AccessDenial) => void
  /** Aborted when the sandbox ends. */
  readonly signal: AbortSignal
  /** Shared by all streams of the sandbox. */
  readonly inFlight: { requests: number }
}

export interface AgentServerDeps {
  readonly routes: Routes
  readonly logger: Logger
}

export function openAgentServer({ routes, logger }: AgentServerDeps): AgentServer {
  const connections = new WeakMap<object, { admitted: Admitted; deadline: HeadDeadline }>()
  const server = createServer({
    maxHeaderSize: limits.headBytes,
    // Node measures these on sockets it listens for; `watchHead` does it for any stream.
    headersTimeout: 0,
    requestTimeout: 0,
  })
  server.maxHeadersCount = limits.headerCount

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const connection = connections.get(incoming.socket)
    if (connection === undefined) throw new Error('A request came on a stream nobody let in')
    const { admitted, deadline } = connection
    const { identity, recorder, deny, inFlight } = admitted
    const path = pathOf(incoming)
    const gone = watchAgent(incoming, outgoing)
    const signal = AbortSignal.any([gone, admitted.signal])
    deadline.requestBegan()
    inFlight.requests += 1
    try {
      if (inFlight.requests > limits.requests) throw tooMany()
      const handler = routes.find(incoming.method ?? '', path)
      await handler({ identity, recorder, deny, incoming, outgoing, path, signal })
    } catch (error) {
      if (!(error instanceof AegisError) && !signal.aborted) {
        logger.error({ executionId: identity.executionId, path, err: error }, 'request failed')
      }
      if (signal.aborted) outgoing.destroy()
      else if (!outgoing.headersSent) {
        closeUnlessRead(incoming, outgoing)
        sendFault(outgoing, routes.dialectOf(path, incoming.headers), error)
      } else if (!outgoing.writableEnded) outgoing.destroy()
    } finally {
      inFlight.requests -= 1
      deadline.requestEnded()
    }
  }

  server.on('request', (incoming, outgoing) => {
    handle(incoming, outgoing).catch((err: unknown) => {
      logger.error({ err }, 'request could not be answered')
      incoming.socket.destroy()
    })
  })
  server.on('clientError', refuseGarbage)

  return {
    serve(stream, admitted) {
      connections.set(stream, { admitted, deadline: watchHead(stream) })
      stream.on('error', () => stream.destroy())
      server.emit('connection', stream)
    },
    [Symbol.dispose]() {
      server.close()
    },
  }
}

/** Aborted when the agent hangs up, or closes its half, before it has its answer. */
function watchAgent(incoming: IncomingMessage, outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const stream = incoming.socket
  const leave = () => {
    stream.off('end', leave)
    const message = 'The agent hung up before it had the answer.'
    if (!outgoing.writableFinished) {
      gone.abort(new AegisError('cancelled', 'request.gone', message))
    }
  }
  stream.once('end', leave)
  outgoing.once('close', leave)
  return gone.signal
}

/** An answer to a request that is not read to its end closes the connection, and soon. */
function closeUnlessRead(incoming: IncomingMessage, outgoing: ServerResponse): void {
  if (incoming.complete) return
  const stream = incoming.socket
  outgoing.setHeader('connection', 'close')
  outgoing.once('finish', () => {
    const timer = setTimeout(() => stream.destroy(), limits.lingerMs)
    stream.once('close', () => clearTimeout(timer))
  })
}

function refuseGarbage(error: NodeJS.ErrnoException, stream: Duplex): void {
  if (!stream.writable) {
    stream.destroy()
    return
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          '431 Request Header Fields Too Large',
          `The head is larger than ${limits.headBytes} bytes.`,
        ]
      : ['400 Bad Request', 'This is not an HTTP/1.1 request.']
  const body = JSON.stringify({ error: message, code: 'request.http' })
  stream.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
    () => stream.destroy(),
  )
}

const tooMany = () =>
  llmFault(
    'exhausted',
    'request.too-many',
    `More than ${limits.requests} requests of this sandbox are in flight; wait for some to end.`,
    { retryable: true, retryAfterMs: 1000 },
  )

function pathOf({ url = '/' }: IncomingMessage): string {
  const query = url.indexOf('?')
  return query < 0 ? url : url.slice(0, query)
}
