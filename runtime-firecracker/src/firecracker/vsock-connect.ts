import { connect, type Socket } from 'node:net'
import { AegisError } from '@aegis/core'
import { abortable } from '@aegis/sandbox'
import { disarm } from '../disarm.ts'

/** Longest answer to `CONNECT`, with the end of its line. */
const answerMaxBytes = 32

/**
 * Connects to a port in the guest, through the socket of its vsock device. What the guest says from
 * the first byte on is on the stream.
 * @throws AegisError `unavailable` / `vsock.refused` nobody listens there · `vsock.answer`
 */
export async function connectVsock(
  socketPath: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const socket = connect(socketPath)
  const answered = new Promise<Socket>((resolve, reject) => {
    let said: Buffer = Buffer.alloc(0)
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    const end = () => fail(refused(port))
    const take = () => {
      for (let chunk: Buffer | null = socket.read(); chunk; chunk = socket.read()) {
        said = Buffer.concat([said, chunk])
        const answer = parseAnswer(said)
        if (answer === undefined) continue
        if (answer === 'nonsense') return fail(nonsense(port, said))
        for (const [event, listener] of listeners) socket.off(event, listener)
        // Whoever reads the stream hears of its end.
        socket.on('error', () => {})
        if (answer.rest.length > 0) socket.unshift(answer.rest)
        return resolve(socket)
      }
    }
    const listeners = [
      ['readable', take],
      ['end', end],
      ['close', end],
      ['error', fail],
    ] as const
    for (const [event, listener] of listeners) socket.on(event, listener)
  })
  socket.write(`CONNECT ${port}\n`)
  return abortable(answered, signal, () => socket.destroy())
}

/**
 * Reads `OK <number>\n`. The number is the host's port with Firecracker and the guest's with others:
 * it says nothing. Undefined while there is too little.
 */
export function parseAnswer(said: Buffer): { readonly rest: Buffer } | 'nonsense' | undefined {
  const end = said.indexOf('\n')
  if (end < 0) return said.length < answerMaxBytes ? undefined : 'nonsense'
  const line = said.subarray(0, end + 1).toString('latin1')
  if (end >= answerMaxBytes || !/^OK \d+\n$/.test(line)) return 'nonsense'
  return { rest: said.subarray(end + 1) }
}

const refused = (port: number): AegisError =>
  new AegisError('unavailable', 'vsock.refused', `Nothing listens on port ${port} of the guest`)

const nonsense = (port: number, said: Buffer): AegisError =>
  new AegisError(
    'unavailable',
    'vsock.answer',
    `The monitor answered CONNECT ${port} with ${disarm(said.toString('latin1'), 80)}`,
  )
