import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { aManifest } from '@aegis/core/testing'
import {
  openAccess,
  openMemoryNode,
  serveHttp,
  silent,
  testToken,
} from '@aegis/tests/contract/control-plane-host.ts'
import { describe, expect, it } from 'vitest'
import { limits } from './limits.ts'
import { openApi } from './open-api.ts'

describe('the API on its port', () => {
  it.each([
    ['garbage', 'hello\r\n\r\n', 400, 'request.malformed'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'request.malformed'],
    ['two lengths', 'GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['smuggled chunks', 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: x\r\n\r\n', 400],
    ['endless headers', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n', 400],
  ])('refuses %s and closes the connection', async (_what, request, status, code?) => {
    await using served = await serveHttp((await openMemoryNode({ start: false })).plane)
    const answer = await exchange(served.api.port, request)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    if (code !== undefined) expect(answer).toContain(`"code":"${code}"`)
    expect(answer).not.toMatch(/node_modules|at .*\.ts/)
  })

  it('says that its port is taken, and by which setting to choose another', async () => {
    const { plane } = await openMemoryNode({ start: false })
    await using served = await serveHttp(plane)
    const second = openApi({
      ...openAccess(plane),
      authenticate: async () => ({ refused: 'unknown' }),
      network: { bindAddress: '127.0.0.1', port: served.api.port },
      version: '0.1.0',
      logger: silent,
      ready: () => true,
    })
    await expect(second).rejects.toMatchObject({
      kind: 'conflict',
      code: 'api.port',
      message: expect.stringContaining('network.port'),
    })
  })

  it.each([
    ['an address of another machine', { bindAddress: '192.0.2.1', port: 0 }, 'api.address'],
    [
      'TLS files that are not there',
      {
        bindAddress: '127.0.0.1',
        port: 0,
        tls: { certPath: '/nonexistent/cert.pem', keyPath: '/nonexistent/key.pem' },
      },
      'api.tls',
    ],
  ])('does not start with %s', async (_what, network, code) => {
    const opened = openApi({
      ...openAccess((await openMemoryNode({ start: false })).plane),
      authenticate: async () => ({ refused: 'unknown' }),
      network,
      version: '0.1.0',
      logger: silent,
      ready: () => true,
    })
    await expect(opened).rejects.toMatchObject({ kind: 'invalid', code })
  })

  it('frees its port when it is disposed', async () => {
    const { plane } = await openMemoryNode({ start: false })
    const served = await serveHttp(plane)
    await served.plane.agents.list() // Leaves a connection open.
    await served[Symbol.asyncDispose]()
    await expect(served.plane.agents.list()).rejects.toMatchObject({ code: 'node.unreachable' })
  })

  it('goes on with the events of an agent behind an execution that is too old to be shown', async () => {
    const { plane } = await openMemoryNode({ start: false })
    await using served = await serveHttp(plane)
    await plane.agents.deploy(aManifest('echo'))
    const ids: string[] = []
    for (let n = 0; n < 102; n += 1) ids.push(await plane.executions.execute('echo', n))
    const answer = await fetch(`${served.api.url}/api/agents/echo/events`, {
      headers: { authorization: `Bearer ${testToken.reveal()}`, 'last-event-id': `${ids[0]}:1` },
    })
    const shown = [...(await answer.text()).matchAll(/^id: ?([^:]+):1$/gm)].map(([, id]) => id)
    expect(shown).toEqual(ids.slice(2))
  })

  it('does not wait for connections on which nobody asked anything', async () => {
    const served = await serveHttp((await openMemoryNode({ start: false })).plane)
    const socket = connect(served.api.port, '127.0.0.1')
    await once(socket, 'connect')
    await served.plane.agents.list() // By then the server has accepted the other one as well.
    const started = performance.now()
    await served[Symbol.asyncDispose]()
    expect(performance.now() - started).toBeLessThan(limits.closeTimeoutMs / 2)
  })
})

/** All that the server sends back before it closes the connection. */
async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(Buffer.from(request, 'latin1'))
  return text(socket)
}
