import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { EgressSession, TunnelTarget } from '../egress/egress-session.ts'
import { subjectOf } from '../egress/subject-of.ts'
import type { CertificateAuthority } from './certificates/certificate-authority.ts'
import { inspectLimits } from './inspect-limits.ts'

/**
 * Ends a client's TLS in the name of `target.host`, and hands over what is inside. A client that asks
 * for another name is refused, and that is recorded. Never throws.
 */
export function serveTls(
  session: EgressSession,
  stream: Duplex,
  target: TunnelTarget,
  authority: CertificateAuthority,
  opened: (inside: TLSSocket) => void,
): void {
  const context = authority.contextFor(target.host)
  const inside = new TLSSocket(stream, {
    isServer: true,
    secureContext: context,
    ALPNProtocols: ['http/1.1'],
    SNICallback(name, done) {
      if (isNameOf(name, target)) return done(null, context)
      // An alert in the clear is still right here: no key has been agreed upon.
      stream.write(unrecognizedName)
      mismatch(name)
      done(new Error('another name was asked for'))
    },
  })
  const timer = setTimeout(() => inside.destroy(), inspectLimits.handshakeMs)
  inside.on('error', () => inside.destroy())
  inside.once('close', () => {
    clearTimeout(timer)
    stream.destroy()
  })
  stream.once('close', () => inside.destroy())
  inside.once('secure', () => {
    clearTimeout(timer)
    // Without a name `SNICallback` is not called.
    const { servername } = inside as { servername?: string | false | null }
    const named = typeof servername === 'string' && servername !== ''
    if (named ? isNameOf(servername, target) : isIP(target.host) !== 0) return opened(inside)
    mismatch(named ? servername : undefined)
    inside.destroy()
  })

  function mismatch(name: string | undefined): void {
    const said = name === undefined ? 'no name' : `the name "${name.slice(0, 253)}"`
    session.deny({
      action: 'network.connect',
      subject: subjectOf(target.host, target.port),
      code: 'egress.sni-mismatch',
      reason: `The client asked for ${said} in its TLS, on a connection to ${target.host}.`,
    })
  }
}

/** Servers compare it without case; a dot at its end is not allowed (RFC 6066, 3). */
const isNameOf = (name: string, { host }: TunnelTarget): boolean => name.toLowerCase() === host

/** RFC 8446, 6.2: a fatal alert, 112. */
const unrecognizedName = Buffer.from([0x15, 3, 3, 0, 2, 2, 112])
