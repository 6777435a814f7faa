import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { connect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openEgressScene, ruleOf } from '../testing/open-egress-scene.ts'
import { inspectLimits } from './inspect-limits.ts'
import { openInspector } from './open-inspector.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const target = { host: 'site.test', port: 443, via: 'name' as const }
const inspector = openInspector({ nodeName: 'test' })

/** A client of the inspector that has said nothing yet. */
function client(
  serve: (session: ReturnType<typeof openEgressScene>['session'], stream: Duplex) => void,
) {
  const scene = openEgressScene({ inspector, rules: [ruleOf('site.test')] })
  const [inside, outside] = duplexPair()
  outside.once('close', () => inside.destroy())
  serve(scene.session, outside)
  return { inside, outside, [Symbol.dispose]: () => scene[Symbol.dispose]() }
}

describe('a client that is slow', () => {
  it('with its handshake of TLS is cut off', () => {
    using slow = client((session, stream) => inspector.serveTls(session, stream, target))
    slow.inside.write(Buffer.from([0x16, 3, 1, 2, 0]))
    vi.advanceTimersByTime(inspectLimits.handshakeMs - 1)
    expect(slow.outside.destroyed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(slow.outside.destroyed).toBe(true)
  })

  it('with its head is cut off, whatever it sends meanwhile', () => {
    using slow = client((session, stream) => inspector.serveHttp(session, stream, target))
    slow.inside.write('GET / HTTP/1.1\r\n')
    for (let second = 1; second < inspectLimits.headMs / 1000; second++) {
      slow.inside.write(`x-${second}: 1\r\n`)
      vi.advanceTimersByTime(1000)
    }
    expect(slow.outside.destroyed).toBe(false)
    vi.advanceTimersByTime(1000)
    expect(slow.outside.destroyed).toBe(true)
  })

  it('with its head inside TLS is cut off', async () => {
    using slow = client((session, stream) => inspector.serveTls(session, stream, target))
    const ca = Buffer.from(inspector.trustBundle()).toString()
    const socket = connect({ socket: slow.inside, servername: 'site.test', ca })
    socket.on('error', () => undefined)
    await once(socket, 'secureConnect')
    socket.write('GET / HTTP/1.1\r\n')
    vi.advanceTimersByTime(inspectLimits.headMs)
    if (!slow.outside.destroyed) await once(slow.outside, 'close')
    expect(slow.outside.destroyed).toBe(true)
  })

  it('at the proxy is cut off', () => {
    using slow = client((session, stream) => inspector.serveProxy(session, stream))
    slow.inside.write('CONNECT site.test:443 HTTP/1.1\r\n')
    vi.advanceTimersByTime(inspectLimits.headMs)
    expect(slow.outside.destroyed).toBe(true)
  })
})
