import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { problemType } from './answer-errors.ts'
import { limits } from './limits.ts'
import { problemOf, refusal } from './problem.ts'

/** Answers what is not even HTTP, or came too slowly, and closes the connection. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = problemOf(refusalOf(error.code))
  const body = JSON.stringify(problem)
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${problemType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function refusalOf(code: string | undefined) {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return refusal(
        'request.headers-too-large',
        `The head of the request is larger than ${limits.headerBytes} bytes.`,
      )
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refusal('request.slow', 'The request took too long to arrive.')
    default:
      return refusal('request.malformed', 'This is not a request of HTTP/1.1.')
  }
}
