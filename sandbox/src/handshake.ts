import { AegisError, type LimitCause } from '@aegis/core'
import { neverReady } from './guest-failure.ts'
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
  readonly #waiter = Promise.withResolvers<void>()
  #state: 'awaits-hello' | 'awaits-configured' | 'done' = 'awaits-hello'
  dns = false
  terminal = false

  constructor(link: WireLink, configuration: GuestConfiguration) {
    this.#link = link
    this.#configuration = configuration
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
    const { version, terminal } = parseHello(frame.payload)
    if (version !== PROTOCOL_VERSION)
      throw new ProtocolViolation(
        `The guest speaks version ${version} of the wire protocol and this host ${PROTOCOL_VERSION}; build both from one release`,
      )
    this.terminal = terminal
    this.#state = 'awaits-configured'
    this.#link.sendRequest(FrameType.configure, 0, encodeConfiguration(this.#configuration))
  }

  configured(frame: Frame): void {
    if (this.#state !== 'awaits-configured') throw new ProtocolViolation('CONFIGURED out of turn')
    const { dns, listeners } = parseConfigured(frame.payload)
    if (listeners.length !== this.#configuration.listeners.length)
      throw new ProtocolViolation('CONFIGURED with other listeners than were asked for')
    this.dns = dns
    this.#state = 'done'
    const failed = listeners.findIndex((errno) => errno !== undefined)
    const listener = this.#configuration.listeners[failed]
    if (!listener) {
      this.#waiter.resolve()
      return
    }
    const where = `${listener.address}:${listener.port}`
    this.#waiter.reject(
      new AegisError(
        'unavailable',
        'guest.listener',
        `The guest could not listen on ${where} inside the sandbox (${listeners[failed]})`,
        { details: { where, errno: listeners[failed] } },
      ),
    )
    this.#link.end('sandbox_lost')
  }

  lose(cause: LimitCause | undefined, failure: Error | undefined): void {
    this.#waiter.reject(neverReady(cause, failure))
  }
}
