import type { Duplex } from 'node:stream'
import { limits } from '../limits.ts'
import type { EgressSession, Inspector } from './egress-session.ts'
import { peekBytes } from './peek-bytes.ts'
import { serveSocks } from './serve-socks.ts'
import { socksVersion } from './socks-request.ts'

/** Serves a client of the proxy port, where HTTP and SOCKS share one listener. */
export async function serveProxy(
  session: EgressSession,
  inspector: Inspector,
  stream: Duplex,
): Promise<void> {
  const { firstBytesMs } = limits
  const options = { firstMs: firstBytesMs, toldMs: firstBytesMs }
  const first = await peekBytes(stream, ([byte]) => byte, options)
  if (first.kind !== 'told') return void stream.destroy()
  if (first.told === socksVersion) return serveSocks(session, stream)
  if (first.told !== socks4) return inspector.serveProxy(session, stream)
  const reason = 'The proxy does not speak SOCKS 4, which has no names. Use SOCKS 5 or HTTP.'
  session.deny({ action: 'network.connect', subject: 'proxy', code: 'egress.socks4', reason })
  stream.end(Buffer.of(0, socks4Rejected, 0, 0, 0, 0, 0, 0), () => stream.destroy())
}

const socks4 = 4
const socks4Rejected = 91
