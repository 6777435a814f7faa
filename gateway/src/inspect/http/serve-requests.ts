import { createServer, type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { AegisError } from '@aegis/core'
import { type HeadDeadline, watchHead } from '../../agent-api/head-deadline.ts'
import type { EgressSession } from '../../egress/egress-session.ts'
import { subjectOf } from '../../egress/subject-of.ts'
import { inspectLimits } from '../inspect-limits.ts'
import { PlaceholderLeak } from '../placeholder-scanner.ts'
import { type Asked, type Asking, answerRequest, subjectOfLeak } from './answer-request.ts'
import { type Origin, parseAuthority } from './authority.ts'
import { drainRequest } from './drain-request.ts'
import type { WebsocketEnd } from './relay-websocket.ts'
import { faultAnswer, requestFault, sendFault } from './request-fault.ts'

/** Serves HTTP/1.1 on streams; it listens on no port. */
export interface RequestServer extends Disposable {
  serve(stream: Duplex, client: Omit<Asking, 'signal'>): void
}

export interface RequestServerOptions {
  /** Takes a stream over from a client of the proxy. Absent: CONNECT is refused. */
  readonly connect?: (session: EgressSession, request: IncomingMessage, end: WebsocketEnd) => void
}

interface Conversation extends Asking {
  readonly deadline: HeadDeadline
  /** What becomes of the stream is no longer our concern. */
  handOver(): void
  /** Resolves when all requests so far have been answered. */
  turn: Promise<void>
  waiting: number
}

export function makeRequestServer({ connect }: RequestServerOptions = {}): RequestServer {
  const conversations = new WeakMap<object, Conversation>()
  const server = createServer({
    maxHeaderSize: inspectLimits.headBytes,
    insecureHTTPParser: false,
    // `readHead` looks at it, and records what it refuses.
    requireHostHeader: false,
    // Node measures these on sockets it listens for; `watchHead` does it for any stream.
    headersTimeout: 0,
    requestTimeout: 0,
    keepAliveTimeout: 0,
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.trim().toLowerCase() === 'websocket',
  })
  // Node would leave the rest out; `readHead` refuses.
  server.maxHeadersCount = 0

  /** Answers come in the order of their requests, so only the first of them is looked at. */
  function enqueue(asked: Asked): void {
    const conversation = conversations.get(asked.incoming.socket)
    if (conversation === undefined) throw new Error('A request came on a stream nobody let in')
    conversation.waiting += 1
    conversation.deadline.requestBegan()
    if (conversation.waiting > inspectLimits.pipelined) {
      asked.incoming.socket.destroy()
      return
    }
    conversation.turn = conversation.turn
      .then(() => answer(conversation, asked))
      .catch((err: unknown) => {
        conversation.session.logger.error({ err }, 'request could not be answered')
        asked.incoming.socket.destroy()
      })
      .finally(() => {
        conversation.waiting -= 1
        conversation.deadline.requestEnded()
      })
  }

  server.on('request', (incoming, outgoing) => enqueue({ incoming, outgoing, upgrade: undefined }))
  server.on('checkContinue', (incoming, outgoing) =>
    enqueue({ incoming, outgoing, upgrade: undefined }),
  )
  server.on('upgrade', (incoming: IncomingMessage, stream: Duplex, head: Buffer) => {
    const outgoing = new ServerResponse(incoming)
    outgoing.shouldKeepAlive = false
    try {
      // @ts-expect-error Any stream will do, as it does for the server itself.
      outgoing.assignSocket(stream)
    } catch {
      // Node refuses while an earlier answer is on its way. Who does not wait for it gets none.
      stream.destroy()
      return
    }
    outgoing.once('finish', () => {
      stream.end()
      linger(stream)
    })
    enqueue({ incoming, outgoing, upgrade: { stream, head } })
  })
  server.on('connect', (incoming: IncomingMessage, stream: Duplex, head: Buffer) => {
    const conversation = conversations.get(stream)
    if (conversation === undefined || connect === undefined || conversation.waiting > 0) {
      stream.destroy()
      return
    }
    // It is the tunnel's from here on.
    conversations.delete(stream)
    conversation.handOver()
    connect(conversation.session, incoming, { stream, head })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, stream: Duplex) => {
    const conversation = conversations.get(stream)
    if (conversation === undefined) stream.destroy()
    else refuseGarbage(error, stream, conversation)
  })

  return {
    serve(stream, client) {
      const gone = new AbortController()
      const leave = () => {
        gone.abort(new AegisError('cancelled', 'request.gone', 'The client hung up.'))
        client.line.end()
      }
      stream.once('close', leave)
      // Node closes the other half then; a client that no longer reads would keep that from ending.
      const end = () => {
        leave()
        linger(stream)
      }
      stream.once('end', end)
      stream.on('error', () => stream.destroy())
      const deadline = watchHead(stream, inspectLimits)
      conversations.set(stream, {
        ...client,
        signal: AbortSignal.any([gone.signal, client.session.signal]),
        deadline,
        handOver() {
          deadline.requestBegan()
          stream.off('end', end)
        },
        turn: Promise.resolve(),
        waiting: 0,
      })
      server.emit('connection', stream)
    },
    [Symbol.dispose]() {
      server.close()
    },
  }
}

async function answer(conversation: Conversation, asked: Asked): Promise<void> {
  const { incoming, outgoing, upgrade } = asked
  if (conversation.signal.aborted) return
  try {
    await answerRequest(conversation, asked)
  } catch (error) {
    record(conversation, incoming, error)
    const broken = conversation.signal.aborted || outgoing.headersSent || outgoing.destroyed
    if (broken) incoming.socket.destroy()
    else sendFault(outgoing, error, upgrade !== undefined || isSuspect(error))
  }
  if (upgrade === undefined) await drainRequest(incoming)
}

/** What comes behind a request that is read in two ways may be a part of it. */
const isSuspect = (error: unknown): boolean =>
  error instanceof AegisError && error.details.record !== undefined

/** Tells the record of what was refused here, and the log of what went wrong. */
function record(conversation: Conversation, incoming: IncomingMessage, error: unknown): void {
  const { session, origin, signal } = conversation
  const target = origin ?? proxied(incoming)
  const subject = target === undefined ? 'proxy' : subjectOf(target.host, target.port)
  if (error instanceof PlaceholderLeak) {
    const leak = target === undefined ? error.secret.name : subjectOfLeak(error, target)
    session.deny({ action: 'secret.use', subject: leak, reason: error.message, code: error.code })
    return
  }
  if (!(error instanceof AegisError)) {
    const { executionId } = session.identity
    if (!signal.aborted && !incoming.socket.destroyed) {
      session.logger.error({ executionId, subject, err: error }, 'request failed')
    }
    return
  }
  const action = error.details.record
  if (action === 'network.connect' || action === 'secret.use') {
    session.deny({ action, subject, reason: error.message, code: error.code })
  }
}

function proxied({ url = '' }: IncomingMessage): Origin | undefined {
  const [, authority = ''] = /^http:\/\/([^/?#]*)/i.exec(url) ?? []
  const parsed = parseAuthority(authority, 80)
  return parsed && { scheme: 'http', ...parsed }
}

/** A client may read what it was sent, and is then cut off. */
function linger(stream: Duplex): void {
  const timer = setTimeout(() => stream.destroy(), inspectLimits.lingerMs)
  stream.once('close', () => clearTimeout(timer))
}

/** Not HTTP, or HTTP that servers could read differently: Node's parser is a strict one. */
function refuseGarbage(
  error: NodeJS.ErrnoException,
  stream: Duplex,
  { session, origin, waiting }: Conversation,
): void {
  if (!String(error.code).startsWith('HPE_') || !stream.writable) {
    stream.destroy()
    return
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const reason = tooLarge
    ? `The head of a request is larger than ${inspectLimits.headBytes} bytes.`
    : `Servers read this request differently, or it is no HTTP/1.1: ${error.message}`
  const code = tooLarge ? 'egress.head-too-large' : 'egress.request-smuggling'
  const subject = origin === undefined ? 'proxy' : subjectOf(origin.host, origin.port)
  session.deny({ action: 'network.connect', subject, reason, code })
  // In the middle of another answer, this one would be taken for a part of it.
  if (waiting > 0) stream.destroy()
  else endWith(stream, requestFault('invalid', code, reason, tooLarge ? { status: 431 } : {}))
}

/** Answers where there is no response of Node's, and ends the connection. */
export function endWith(stream: Duplex, error: unknown): void {
  const { status, headers, body } = faultAnswer(error)
  const lines = Object.entries({ ...headers, connection: 'close' }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  )
  stream.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body.toString()}`,
    () => stream.destroy(),
  )
}
