import { setTimeout as delay } from 'node:timers/promises'
import { AegisError, type SandboxSpec } from '@aegis/core'
import { connectGuest, type GuestOptions, type GuestSession, guestNetwork } from '@aegis/sandbox'
import type { Attachment } from '../engine/attachment.ts'
import { disarm } from '../engine/engine-failure.ts'

export type GuestTiming = Pick<GuestOptions, 'helloTimeoutMs' | 'pingIntervalMs' | 'pingTimeoutMs'>

const complaintGraceMs = 200

/** How long a guest that said hello may take to tell where it is. */
const answerTimeoutMs = 10_000

/**
 * Speaks with the guest for the first time, and makes sure of where it is.
 * @throws AegisError `timeout` / `guest.timeout` · `unavailable` / `guest.lost`, `sandbox.boot`,
 * `sandbox.network`
 */
export async function greetGuest(
  { stdio, closed, complaint }: Attachment,
  spec: SandboxSpec,
  timing: GuestTiming,
  signal: AbortSignal,
): Promise<GuestSession> {
  const options: GuestOptions = {
    ...timing,
    onConnect: spec.onConnect,
    ...(spec.onNotice && { onNotice: spec.onNotice }),
    outputLimitBytes: spec.limits.outputBytes,
    ...guestNetwork(spec.network, syntheticRange, ownNames),
  }
  try {
    const session = await connectGuest(stdio, options, signal)
    const late = AbortSignal.timeout(timing.helloTimeoutMs ?? answerTimeoutMs)
    await mustBeAlone(session, AbortSignal.any([signal, late])).catch((error: unknown) => {
      session.close()
      throw late.aborted ? neverTold(error) : error
    })
    return session
  } catch (cause) {
    signal.throwIfAborted()
    // Its own words, when it left some, are better than "no hello".
    await Promise.race([closed, delay(complaintGraceMs)])
    const words = complaint()
    if (words === '') throw cause
    throw new AegisError(
      'unavailable',
      'sandbox.boot',
      `Sandbox ${spec.id} did not come up: ${words}. \`aegis doctor\` says what the engine's host lacks`,
      { cause },
    )
  }
}

const neverTold = (cause: unknown): AegisError =>
  new AegisError(
    'timeout',
    'guest.timeout',
    'The guest said hello, and then did not tell which network it is in. `aegis doctor` says what the host of the engine lacks',
    { cause },
  )

/** A container without a network has an empty /etc/hosts, so its name server tells these. */
const ownNames = ['localhost', 'sandbox'].map((name) => ({ name, address: '127.0.0.1' }))

/** 127.64.0.0/10: of the loopback, since a container may not route; nothing else uses it. */
const syntheticRange = { first: '127.64.0.1', count: 131_000 }

/** Rests on evidence, not on what the engine was asked for: there is no way out but the wire. */
async function mustBeAlone(session: GuestSession, signal: AbortSignal): Promise<void> {
  const table = Buffer.from(await session.readFile('/proc/net/dev', 64 << 10, signal)).toString()
  const names = table.split('\n').flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? [])
  if (names.every((name) => name === 'lo' || unroutable.test(name))) return
  session.close()
  throw new AegisError(
    'unavailable',
    'sandbox.network',
    `The Docker engine gave the sandbox a network (${disarm(names.join(', '))}) though it was asked for none, so it was not used. Update the engine`,
  )
}

/** Tunnels that the kernel puts into every network namespace once their module is loaded. */
const unroutable = /^(tunl|gre|gretap|erspan|sit|ip6tnl|ip6gre|ip_vti|ip6_vti)0$/
