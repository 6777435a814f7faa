import { Duplex } from 'node:stream'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { makeQmpClient, qmpLineMax } from './qmp-client.ts'
import { parseQmpMessage } from './qmp-message.ts'

const greeting = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 }, package: 'x' }, capabilities: [] },
}

/** A QEMU that answers each command with what `answer` makes of it. */
function conversation(answer: (request: { execute: string; id: number }) => unknown) {
  const asked: string[] = []
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      const request = JSON.parse(String(chunk))
      asked.push(request.execute)
      const reply =
        request.execute === 'qmp_capabilities' ? { return: {}, id: request.id } : answer(request)
      if (reply !== undefined) stream.push(`${JSON.stringify(reply)}\r\n`)
      done()
    },
  })
  const client = makeQmpClient(stream, 50)
  return { stream, client, asked, greet: () => stream.push(`${JSON.stringify(greeting)}\r\n`) }
}

it('is ready once QEMU has said its version and takes commands', async () => {
  const { client, asked, greet } = conversation(() => undefined)
  greet()
  expect(await client.ready).toBe('7.2.22')
  expect(asked).toEqual(['qmp_capabilities'])
})

it('gives back what a command returns, whatever events come between, in pieces', async () => {
  const { client, stream } = conversation(({ id }) => ({ return: { status: 'running' }, id }))
  const events: string[] = []
  client.onEvent((name) => events.push(name))
  const event = '{"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 2}}\n'
  stream.push(event.slice(0, 9))
  stream.push(event.slice(9))
  expect(await client.run('query-status')).toEqual({ status: 'running' })
  expect(events).toEqual(['STOP'])
})

it('tells what QEMU refused, and that it does not answer', async () => {
  const { client } = conversation(({ execute, id }) =>
    execute === 'bad'
      ? { error: { class: 'GenericError', desc: 'no\u001b such thing' }, id }
      : undefined,
  )
  await expect(client.run('bad')).rejects.toMatchObject({
    code: 'qemu.command',
    message: 'QEMU refused bad: no  such thing',
  })
  await expect(client.run('slow')).rejects.toMatchObject({ code: 'qemu.timeout' })
})

it.each([
  ['what is no message', '{"nonsense": 1}\n'],
  ['what is no JSON', 'QEMU 7.2 monitor\n'],
  ['a line without end', 'x'.repeat(qmpLineMax + 1)],
])('ends, with all that waits, at %s', async (_, words) => {
  const { client, stream } = conversation(() => undefined)
  const waiting = client.run('query-status')
  stream.push(words)
  await expect(waiting).rejects.toMatchObject({ code: 'qemu.lost' })
  await client.closed
  expect(stream.destroyed).toBe(true)
  await expect(client.run('cont')).rejects.toMatchObject({ code: 'qemu.lost' })
})

it('takes any text for a line', () => {
  fc.assert(fc.property(fc.string(), (line) => void parseQmpMessage(line)))
  fc.assert(fc.property(fc.json(), (line) => void parseQmpMessage(line)))
})
