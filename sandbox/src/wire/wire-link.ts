import type { Duplex } from 'node:stream'
import { AegisError, type LimitCause } from '@aegis/core'
import { makeRateLimit } from '../rate-limit.ts'
import { FLAG_MORE, type Frame, FrameDecoder, FrameType, ProtocolViolation } from './frame.ts'
import { FrameBatch } from './frame-batch.ts'
import {
  CONNECT_BURST,
  CONNECTS_PER_SECOND,
  GUEST_CHANNEL_BIT,
  GUEST_CHANNELS_MAX,
  HOST_CHANNELS_MAX,
  PAYLOAD_MAX_BYTES,
} from './limits.ts'

/** One channel's end on the host. */
export interface Channel {
  /**
   * Takes a frame of the channel; CLOSE is the last.
   * @throws ProtocolViolation when the channel does not allow it now
   */
  receive(frame: Frame): void
  /** The session ended first. */
  lose(cause: LimitCause | undefined): void
}

interface Entry {
  readonly channel: Channel
  closeSent: boolean
}

export interface LinkHandlers {
  /** A frame on channel 0. */
  onSession(frame: Frame): void
  /** The guest opened a channel: `adopt` takes its end here before anything is sent on it. */
  onConnect(frame: Frame, adopt: (channel: Channel) => void): void
  /** Called once, after all channels were lost. `failure` is for the log. */
  onEnd(cause: LimitCause | undefined, failure: Error | undefined): void
}

/** The frames of one session on one stream: who they belong to, and how the session ends. */
export class WireLink {
  readonly #stream: Duplex
  readonly #handlers: LinkHandlers
  readonly #decoder = new FrameDecoder()
  readonly #batch: FrameBatch
  readonly #channels = new Map<number, Entry>()
  readonly #mayConnect = makeRateLimit(CONNECT_BURST, CONNECTS_PER_SECOND)
  #hostChannels = 0
  #lastHostChannel = 0
  #lastGuestChannel = GUEST_CHANNEL_BIT
  ended = false

  constructor(stream: Duplex, handlers: LinkHandlers) {
    this.#stream = stream
    this.#batch = new FrameBatch(stream)
    this.#handlers = handlers
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('error', (error) => this.end('sandbox_lost', error))
    stream.on('end', () => this.end('sandbox_lost'))
    stream.on('close', () => this.end('sandbox_lost'))
    // Ended before anybody listened: there will be no event. In a turn of its own, so that the
    // owner has this link before it hears of its end.
    if (stream.destroyed || stream.readableEnded) process.nextTick(() => this.end('sandbox_lost'))
  }

  /**
   * Opens a channel to the guest.
   * @throws AegisError `exhausted` / `sandbox.channels`
   */
  open<C extends Channel>(type: FrameType, request: Buffer, make: (id: number) => C): C {
    if (this.#hostChannels === HOST_CHANNELS_MAX)
      throw new AegisError(
        'exhausted',
        'sandbox.channels',
        `This sandbox already runs ${HOST_CHANNELS_MAX} commands and transfers; wait for one to end`,
      )
    const id = ++this.#lastHostChannel
    this.#hostChannels += 1
    const channel = make(id)
    this.#channels.set(id, { channel, closeSent: false })
    this.sendRequest(type, id, request)
    return channel
  }

  /** Takes over a channel that was opened before this session began; later ones come after it. */
  adopt<C extends Channel>(id: number, make: (id: number) => C): C {
    const channel = make(id)
    this.#lastHostChannel = id
    this.#hostChannels += 1
    this.#channels.set(id, { channel, closeSent: false })
    return channel
  }

  /** The channels that are open now, the guest's included. */
  get openChannels(): readonly number[] {
    return [...this.#channels.keys()]
  }

  /** Sends a request, in fragments when it must be. */
  sendRequest(type: FrameType, channel: number, request: Buffer): void {
    let at = 0
    for (; request.length - at > PAYLOAD_MAX_BYTES; at += PAYLOAD_MAX_BYTES)
      this.send(type, channel, request.subarray(at, at + PAYLOAD_MAX_BYTES), FLAG_MORE)
    this.send(type, channel, request.subarray(at))
  }

  /** The payload is the caller's again at once. */
  send(type: FrameType, channel: number, payload?: Buffer, flags = 0): void {
    if (!this.ended) this.#batch.add(type, channel, payload, flags)
  }

  /** As `send`, but only while this end of the channel is open. */
  sendOn(type: FrameType, channel: number, payload?: Buffer, flags = 0): void {
    const entry = this.#channels.get(channel)
    if (entry && !entry.closeSent) this.send(type, channel, payload, flags)
  }

  grant(channel: number, stream: number, credit: number): void {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(credit)
    this.sendOn(FrameType.window, channel, payload, stream)
  }

  /** Closes this end, once. The channel still receives what is on its way, up to CLOSE. */
  close(channel: number, reason = ''): void {
    const entry = this.#channels.get(channel)
    if (!entry || entry.closeSent) return
    entry.closeSent = true
    this.send(FrameType.close, channel, Buffer.from(reason, 'latin1'))
  }

  /** Ends the session, once: the stream is destroyed and every channel lost. */
  end(cause: LimitCause | undefined, failure?: Error): void {
    if (this.ended) return
    this.ended = true
    this.#stream.destroy()
    const entries = [...this.#channels.values()]
    this.#channels.clear()
    for (const { channel } of entries) channel.lose(cause)
    this.#handlers.onEnd(cause, failure)
  }

  #receive(chunk: Buffer): void {
    try {
      this.#decoder.push(chunk, (frame) => {
        this.#dispatch(frame)
        return !this.ended
      })
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      // Even a mistake on this side, met while reading hostile bytes, may only cost this sandbox.
      this.end(
        failure instanceof ProtocolViolation ? 'protocol_violation' : 'sandbox_lost',
        failure,
      )
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.channel === 0) {
      this.#handlers.onSession(frame)
      return
    }
    if (frame.type === FrameType.connect) {
      this.#accept(frame)
      return
    }
    const entry = this.#channels.get(frame.channel)
    if (!entry) throw new ProtocolViolation(`No channel ${frame.channel.toString(16)}`)
    entry.channel.receive(frame)
    if (frame.type !== FrameType.close || this.ended) return
    this.close(frame.channel)
    this.#channels.delete(frame.channel)
    if (frame.channel < GUEST_CHANNEL_BIT) this.#hostChannels -= 1
  }

  #accept(frame: Frame): void {
    if (frame.channel !== this.#lastGuestChannel + 1)
      throw new ProtocolViolation('Channel numbers go up by one')
    this.#lastGuestChannel = frame.channel
    if (!this.#mayConnect()) throw new ProtocolViolation('Connections faster than allowed')
    if (this.#channels.size - this.#hostChannels === GUEST_CHANNELS_MAX)
      throw new ProtocolViolation('Too many connections at once')
    this.#handlers.onConnect(frame, (channel) =>
      this.#channels.set(frame.channel, { channel, closeSent: false }),
    )
  }
}
