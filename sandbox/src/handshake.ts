import { AegisError, type LimitCause } from '@aegis/core'
import { neverReady } from './guest-failure.ts'
import type { Incarnation } from './machine-guest.ts'
import { type Frame, FrameType, ProtocolViolation } from './wire/frame.ts'
import { PROTOCOL_VERSION } from './wire/limits.ts'
import {
  encodeConfiguration,
  type GuestConfiguration,
  parseConfigured,
  parseHello,
} from './wire/messages.ts'
import type { WireLink } from './wire/wire-link.ts'

/** HELLO, CONFIGURE, CONFIGURED: what must pass, in this order, before anything else. */
export class Handshake {
  readonly #link: WireLink
  readonly #configuration: GuestConfiguration
  readonly #incarnation: Incarnation
  readonly #waiter = Promise.withResolvers<void>()
  #state: 'awaits-hello' | 'awaits-configured' | 'done' = 'awaits-hello'
  dns = false
  terminal = false

  constructor(link: WireLink, configuration: GuestConfiguration, incarnation: Incarnation) {
    this.#link = link
    this.#configuration = configuration
    this.#incarnation = incarnation
  }

  /** Rejects with `unavailable` when the guest cannot be used. */
  get done(): Promise<void> {
    return this.#waiter.promise
  }

  get isDone(): boolean {
    return this.#state === 'done'
  }

  hello(frame: Frame): void {
    if (this.#state !== 'awaits-hello') throw new ProtocolViolation('HELLO twice')
    const hello = parseHello(frame.payload)
    const { version, terminal } = hello
    if (version !== PROTOCOL_VERSION)
      throw new ProtocolViolation(
        `The guest speaks version ${version} of the wire protocol and this host ${PROTOCOL_VERSION}; build both from one release`,
      )
    this.#incarnation.check(hello)
    this.terminal = terminal
    this.#state = 'awaits-configured'
    const machine = this.#incarnation.configuration()
    const configuration = { ...this.#configuration, ...(machine && { machine }) }
    this.#link.sendRequest(FrameType.configure, 0, encodeConfiguration(configuration))
  }

  configured(frame: Frame): void {
    if (this.#state !== 'awaits-configured') throw new ProtocolViolation('CONFIGURED out of turn')
    const { dns, listeners, reseed } = parseConfigured(frame.payload)
    if (listeners.length !== this.#configuration.listeners.length)
      throw new ProtocolViolation('CONFIGURED with other listeners than were asked for')
    this.dns = dns
    const refusal = this.#incarnation.refusal(reseed) ?? this.#closedListener(listeners)
    if (refusal) {
      this.#waiter.reject(refusal)
      this.#link.end('sandbox_lost')
      return
    }
    this.#state = 'done'
    this.#waiter.resolve()
  }

  #closedListener(errnos: readonly (string | undefined)[]): AegisError | undefined {
    const failed = errnos.findIndex((errno) => errno !== undefined)
    const listener = this.#configuration.listeners[failed]
    if (!listener) return undefined
    const where = `${listener.address}:${listener.port}`
    return new AegisError(
      'unavailable',
      'guest.listener',
      `The guest could not listen on ${where} inside the sandbox (${errnos[failed]})`,
      { details: { where, errno: errnos[failed] } },
    )
  }

  lose(cause: LimitCause | undefined, failure: Error | undefined): void {
    this.#waiter.reject(neverReady(cause, failure))
  }
}
