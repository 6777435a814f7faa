import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { AgentExecutionEvent, ExecutionEvent, ExecutionId } from '@aegis/core'
import { aManifest, type InMemoryStore } from '@aegis/core/testing'
import { makeMessageParser } from '@aegis/http-contract'
import { describe, expect, it } from 'vitest'
import { type MemoryNode, openMemoryNode, serveHttp, testToken } from './control-plane-host.ts'

const forever = new AbortController().signal
const headers = { authorization: `Bearer ${testToken.reveal()}` }
const quick = { attempts: 5, firstDelayMs: 1, maxDelayMs: 5 }

describe('an event stream over HTTP', () => {
  it('shows each of 100 followers each event exactly once', async () => {
    await using node = await openIdleNode()
    await using served = await serveHttp(node.plane)
    const { id, log } = await queue(node)
    const followers = Array.from({ length: 100 }, async () =>
      Array.fromAsync(served.plane.executions.events(id, { follow: true }, forever)),
    )
    for (let line = 0; line < 50; line += 1) await log.append(consoleLine(`line ${line}`))
    await log.append(completed)
    const expected = await Array.fromAsync(node.plane.executions.events(id, {}, forever))
    expect(expected).toHaveLength(52)
    for (const seen of await Promise.all(followers)) expect(seen).toEqual(expected)
  })

  it('is taken up again without gap or duplicate, however often the connection breaks', async () => {
    await using node = await openIdleNode()
    await using served = await serveHttp(node.plane)
    await using proxy = await openBreakingProxy(served.api.port)
    const { id, log } = await queue(node)
    await using through = await serveHttp(node.plane, { url: proxy.url, reconnect: quick })
    const versions: number[] = []
    const following = (async () => {
      for await (const one of through.plane.executions.events(id, { follow: true }, forever)) {
        versions.push(one.version)
        if (one.version % 10 === 0) proxy.breakAll()
        if (one.version <= 100) await log.append(consoleLine('more'))
        else if (one.version === 101) await log.append(completed)
      }
    })()
    await following
    expect(versions).toEqual(Array.from({ length: 102 }, (_, index) => index + 1))
    expect(proxy.connections()).toBeGreaterThan(5)
  })

  it('of an agent is taken up again without gap or duplicate', async () => {
    await using node = await openIdleNode()
    await using served = await serveHttp(node.plane)
    await using proxy = await openBreakingProxy(served.api.port)
    await using through = await serveHttp(node.plane, { url: proxy.url, reconnect: quick })
    const runs = [await queue(node), await queue(node), await queue(node)]
    for (const { log } of runs) await log.append(consoleLine('first'), completed)
    const seen: AgentExecutionEvent[] = []
    const stop = new AbortController()
    const last = await queue(node)
    for await (const one of through.plane.agents.events('echo', { follow: true }, stop.signal)) {
      seen.push(one)
      if (seen.length % 4 === 0) proxy.breakAll()
      if (one.executionId === last.id && one.version === 1) await last.log.append(completed)
      if (one.executionId === last.id && one.version === 2) stop.abort()
    }
    const expected = await Array.fromAsync(node.plane.agents.events('echo', {}, forever))
    expect(seen).toEqual(expected)
  })

  it('goes on behind Last-Event-ID for a reader that knows nothing else', async () => {
    await using node = await openIdleNode()
    await using served = await serveHttp(node.plane)
    const [one, two] = [await queue(node), await queue(node)]
    for (const { log } of [one, two]) await log.append(consoleLine('hello'), completed)
    const ids = async (path: string, last: string) => {
      const url = `${served.api.url}/api/${path}`
      const response = await fetch(url, { headers: { ...headers, 'last-event-id': last } })
      const messages = makeMessageParser()(await response.text())
      return [response.status, ...messages.map(({ lastEventId }) => lastEventId)]
    }
    expect(await ids(`executions/${one.id}/events`, '1')).toEqual([200, '2', '3'])
    expect(await ids(`executions/${one.id}/events?after=0`, '2')).toEqual([200, '3'])
    expect(await ids(`executions/${one.id}/events`, '3')).toEqual([204])
    expect(await ids('agents/echo/events', `${one.id}:2`)).toEqual([
      200,
      `${one.id}:3`,
      `${two.id}:1`,
      `${two.id}:2`,
      `${two.id}:3`,
    ])
  })

  it('speaks the words that clients of the reference read', async () => {
    await using node = await openIdleNode()
    await using served = await serveHttp(node.plane)
    const { id, log } = await queue(node)
    await log.append(consoleLine('hello'), completed)
    const response = await fetch(`${served.api.url}/api/executions/${id}/events`, { headers })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const messages = makeMessageParser()(await response.text())
    expect(messages.map(({ data }) => JSON.parse(data))).toMatchObject([
      { event_type: 'ExecutionQueued', data: {} },
      { event_type: 'ConsoleOutput', stream: 'stdout', data: { output: 'hello' }, timestamp: at },
      { event_type: 'ExecutionCompleted', total_iterations: 1, data: { result: 'done' } },
    ])
  })

  it('holds nothing for a reader that does not read', async () => {
    await using node = await openIdleNode()
    const { id, log } = await queue(node)
    const text = 'x'.repeat(30_000)
    for (let count = 0; count < 500; count += 1) await log.append(consoleLine(text))
    let taken = 0
    const counting = {
      ...node.plane,
      executions: {
        ...node.plane.executions,
        async *events(...args: Parameters<typeof node.plane.executions.events>) {
          for await (const one of node.plane.executions.events(...args)) {
            taken += 1
            yield one
          }
        },
      },
    }
    await using served = await serveHttp(counting)
    const socket = connect(served.api.port, '127.0.0.1')
    socket.write(
      `GET /api/executions/${id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${headers.authorization}\r\n\r\n`,
    )
    await once(socket, 'readable') // And reads no more.
    await settled(() => taken)
    expect(taken).toBeLessThan(400)
    socket.destroy()
  })

  it('frees all it holds when the reader goes', async () => {
    await using node = await openIdleNode()
    const { id } = await queue(node)
    const { promise: freed, resolve } = Promise.withResolvers<void>()
    await using served = await serveHttp({
      ...node.plane,
      executions: {
        ...node.plane.executions,
        async *events(...args: Parameters<typeof node.plane.executions.events>) {
          try {
            yield* node.plane.executions.events(...args)
          } finally {
            resolve()
          }
        },
      },
    })
    const stop = new AbortController()
    for await (const _ of served.plane.executions.events(id, { follow: true }, stop.signal)) {
      stop.abort()
    }
    await freed
  })

  it('is broken off, not ended, when the API closes, so that a reader can tell', async () => {
    await using node = await openIdleNode()
    const served = await serveHttp(node.plane, { reconnect: { ...quick, attempts: 1 } })
    const { id } = await queue(node)
    const follow = async () => {
      for await (const _ of served.plane.executions.events(id, { follow: true }, forever)) {
        await served[Symbol.asyncDispose]()
      }
    }
    await expect(follow()).rejects.toMatchObject({ code: 'node.unreachable' })
  })

  it('tells of a failure after its start', async () => {
    await using node = await openIdleNode()
    const { id } = await queue(node)
    await using served = await serveHttp({
      ...node.plane,
      executions: {
        ...node.plane.executions,
        async *events(...args: Parameters<typeof node.plane.executions.events>) {
          yield* node.plane.executions.events(...args)
          throw new Error('the disk said: hunter2')
        },
      },
    })
    const seen: number[] = []
    const follow = async () => {
      for await (const { version } of served.plane.executions.events(id, {}, forever)) {
        seen.push(version)
      }
    }
    await expect(follow()).rejects.toMatchObject({
      code: 'internal',
      message: expect.not.stringContaining('hunter2'),
    })
    expect(seen).toEqual([1])
  })
})

const at = '2026-11-22T15:04:05.123Z'
const completed: ExecutionEvent = {
  type: 'execution.completed',
  output: 'done',
  iterations: 1,
  at,
}
const consoleLine = (text: string): ExecutionEvent => ({
  type: 'execution.console',
  iteration: 1,
  stream: 'stdout',
  text,
  at,
})

/** A node that runs nothing by itself: the tests write its logs. */
async function openIdleNode(): Promise<MemoryNode> {
  const node = await openMemoryNode({ start: false })
  await node.plane.agents.deploy(aManifest('echo'))
  return node
}

async function queue(node: MemoryNode): Promise<{ id: ExecutionId; log: Log }> {
  const id = await node.plane.executions.execute('echo', 'hi')
  return { id, log: logOf(node.store, id) }
}

interface Log {
  append(...events: readonly ExecutionEvent[]): Promise<void>
}

function logOf({ events }: InMemoryStore, id: ExecutionId): Log {
  let expectedVersion = 1
  return {
    async append(...more) {
      await events.append({ stream: `execution-${id}`, expectedVersion, events: more })
      expectedVersion += more.length
    },
  }
}

/** Resolves once the count has stopped growing. */
async function settled(count: () => number): Promise<void> {
  let before = -1
  while (before !== count()) {
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

interface BreakingProxy extends AsyncDisposable {
  readonly url: string
  /** Cuts every connection that is open. */
  breakAll(): void
  connections(): number
}

async function openBreakingProxy(port: number): Promise<BreakingProxy> {
  const open = new Set<Socket>()
  let connections = 0
  const server = createServer((client) => {
    connections += 1
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => open.delete(socket))
    }
    client.pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('No port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    breakAll() {
      for (const socket of open) socket.destroy()
    },
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
