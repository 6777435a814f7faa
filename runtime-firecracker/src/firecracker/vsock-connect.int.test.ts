import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { connectVsock, parseAnswer } from './vsock-connect.ts'

const never = new AbortController().signal

async function hostThat(answer: (socket: Socket, said: string) => void): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-vsock-'))
  const path = join(directory, 'v.sock')
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (said) => answer(socket, said.toString()))
  })
  server.listen(path)
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await rm(directory, { recursive: true })
  })
  return path
}

it.each(['OK 1073741824\n', 'OK 52\n'])('takes %j, whose number says nothing', async (answer) => {
  const asked: string[] = []
  const path = await hostThat((socket, said) => {
    asked.push(said)
    socket.write(`${answer}first words`)
    socket.on('data', (more) => socket.end(more))
  })
  const socket = await connectVsock(path, 52, never)
  expect(asked).toEqual(['CONNECT 52\n'])
  socket.write(', echoed')
  const heard: Buffer[] = await Array.fromAsync(socket)
  expect(Buffer.concat(heard).toString()).toBe('first words, echoed')
})

it('tells a port where nobody listens', async () => {
  const path = await hostThat((socket) => socket.destroy())
  await expect(connectVsock(path, 99, never)).rejects.toMatchObject({ code: 'vsock.refused' })
})

it.each(['ERR\n', 'OK\n', 'OK 5x\n', 'O'.repeat(100)])('refuses the answer %j', async (answer) => {
  const path = await hostThat((socket) => void socket.write(answer))
  await expect(connectVsock(path, 1, never)).rejects.toMatchObject({ code: 'vsock.answer' })
})

it('reads the same answer in whatever pieces it comes', () => {
  fc.assert(
    fc.property(fc.nat(), fc.uint8Array(), (number, rest) => {
      const whole = Buffer.concat([Buffer.from(`OK ${number}\n`), rest])
      const end = whole.indexOf('\n') + 1
      for (let at = 0; at < end; at++) expect(parseAnswer(whole.subarray(0, at))).toBeUndefined()
      expect(parseAnswer(whole)).toEqual({ rest: whole.subarray(end) })
    }),
  )
})
