import type { Duplex } from 'node:stream'
import type {
  ExecCommand,
  LimitCause,
  SandboxFile,
  SandboxProcess,
  SandboxSpec,
  SandboxStats,
} from '@aegis/core'
import { abortable } from './abortable.ts'
import { checkCommand, checkFile, checkPath } from './check-request.ts'
import { ConnectChannel } from './connect-channel.ts'
import { ExecProcess } from './exec-process.ts'
import { FileGet, FilePut } from './file-transfer.ts'
import { fileFailure, fileTooLarge, notQuiet, sessionEnded, startFailure } from './guest-failure.ts'
import { agentApiListener } from './guest-network.ts'
import { Handshake } from './handshake.ts'
import { type MachineGuest, makeIncarnation, type QuietGuest } from './machine-guest.ts'
import { makePinger, type Pinger } from './pinger.ts'
import { makeRateLimit } from './rate-limit.ts'
import { StatsRequests } from './stats-requests.ts'
import { type Frame, FrameType, ProtocolViolation } from './wire/frame.ts'
import { NOTICE_BURST, NOTICES_PER_SECOND } from './wire/limits.ts'
import { parseQuiet, type QuietReport } from './wire/machine-messages.ts'
import {
  encodeExec,
  encodeGet,
  encodePut,
  type GuestListener,
  type GuestName,
  type GuestPool,
  parseConnect,
  parseNotice,
} from './wire/messages.ts'
import { WireLink } from './wire/wire-link.ts'

export interface GuestOptions {
  /** Takes over a connection that was opened inside. To refuse, it destroys the stream. */
  readonly onConnect: SandboxSpec['onConnect']
  readonly onNotice?: SandboxSpec['onNotice']
  /** Bytes one command may print, stdout and stderr together; more ends the session. */
  readonly outputLimitBytes: number
  /** Who the agent's commands run as. Absent: as the guest itself runs. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Where the guest listens inside. Default: the agent API on 127.0.0.1:8000. */
  readonly listeners?: readonly GuestListener[]
  /** Names that can be looked up inside. Default: none. */
  readonly names?: readonly GuestName[]
  /** Names that get an address when they are looked up. Default: none. */
  readonly pool?: GuestPool
  /** The guest is the first process of a machine. Absent: of a sandbox that shares a kernel. */
  readonly machine?: MachineGuest
  /** How long the guest may take to say hello and be configured. Default 10,000. */
  readonly helloTimeoutMs?: number
  /** Pause between two pings. Default 5,000. */
  readonly pingIntervalMs?: number
  /** How long a ping may stay unanswered. Default 15,000. */
  readonly pingTimeoutMs?: number
}

/** One guest at the other end of one byte stream. */
export interface GuestSession {
  /**
   * Resolves when the command runs; `signal` counts until then.
   * @throws AegisError `not-found` / `exec.not-found` · `invalid` · `exhausted` / `exec.resources` ·
   * `unavailable` / `sandbox.ended`
   */
  exec(command: ExecCommand, signal: AbortSignal): Promise<SandboxProcess>
  /**
   * Each file appears whole or not at all; an abort leaves those that were done.
   * @throws AegisError `exhausted` / `file.disk-full` · `denied` · `invalid`
   */
  writeFiles(files: readonly SandboxFile[], signal: AbortSignal): Promise<void>
  /** @throws AegisError `not-found` no such file · `exhausted` larger than `limitBytes` */
  readFile(path: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array>
  /** What the guest can see; a runtime may overlay what its limits group counts. */
  stats(signal: AbortSignal): Promise<SandboxStats>
  /**
   * Has a machine get ready for a snapshot: no more than one command runs, which nobody has written
   * to and which waits. Nothing can be asked of this session afterwards but to be closed; the machine
   * goes on, for some seconds without a wire, and comes back as `machine.restored` of another session.
   * @throws AegisError `conflict` / `guest.busy` it does not come to rest; the session goes on
   */
  quiesce(signal: AbortSignal): Promise<QuietGuest>
  /** The command that stood by when the snapshot was taken that this machine comes from. */
  readonly standby: SandboxProcess | undefined
  /**
   * Resolves once: undefined after `close`, else `protocol_violation`, `guest_unresponsive`,
   * `output_limit` or `sandbox_lost`.
   */
  readonly ended: Promise<LimitCause | undefined>
  /** What broke the session, for the log; set before `ended` resolves. */
  readonly failure: Error | undefined
  /** Whether the guest answers DNS inside. */
  readonly dns: boolean
  /** Whether commands can get a terminal. */
  readonly terminal: boolean
  /** Ends the stream, and with it the guest and all that it runs. Idempotent. */
  close(): void
}

/** Files on their way at once; each has a window's worth of bytes in flight at most. */
const PARALLEL_FILES = 8

/** The host's end of a session. `connectGuest` makes it and waits until it is ready. */
export class Session implements GuestSession {
  readonly #link: WireLink
  readonly #options: GuestOptions
  readonly #handshake: Handshake
  readonly #stats = new StatsRequests()
  readonly #mayNotify = makeRateLimit(NOTICE_BURST, NOTICES_PER_SECOND)
  #pinger: Pinger
  readonly #endWaiter = Promise.withResolvers<LimitCause | undefined>()
  #cause: LimitCause | undefined
  #quiet: PromiseWithResolvers<QuietReport> | undefined
  failure: Error | undefined
  standby: SandboxProcess | undefined

  constructor(stream: Duplex, options: GuestOptions) {
    this.#options = options
    this.#link = new WireLink(stream, {
      onSession: (frame) => this.#receive(frame),
      onConnect: (frame, adopt) => this.#connect(frame, adopt),
      onEnd: (cause, failure) => this.#end(cause, failure),
    })
    const incarnation = makeIncarnation(options.machine)
    const configuration = {
      ...(options.user && { user: options.user }),
      listeners: options.listeners ?? [agentApiListener],
      names: options.names ?? [],
      ...(options.pool && { pool: options.pool }),
    }
    this.#handshake = new Handshake(this.#link, configuration, incarnation)
    this.#pinger = this.#makePinger()
    if (incarnation.generation) this.#link.send(FrameType.resume, 0, incarnation.generation)
  }

  /** Resolves when the guest was configured; rejects with what kept it from that. */
  async ready(): Promise<void> {
    await this.#handshake.done
    this.#pinger.begin()
  }

  get ended(): Promise<LimitCause | undefined> {
    return this.#endWaiter.promise
  }

  get dns(): boolean {
    return this.#handshake.dns
  }

  get terminal(): boolean {
    return this.#handshake.terminal
  }

  close(): void {
    this.#link.end(undefined)
  }

  async quiesce(signal: AbortSignal): Promise<QuietGuest> {
    this.#mustBeOpen(signal)
    // From now on the guest must find nothing on the wire that belongs to this session.
    this.#pinger.stop()
    this.#quiet = Promise.withResolvers()
    this.#link.send(FrameType.quiesce, 0)
    const { channel, obstacle } = await abortable(this.#quiet.promise, signal, () => this.close())
    if (!obstacle) return channel === 0 ? {} : { standby: channel }
    this.#quiet = undefined
    this.#pinger = this.#makePinger()
    this.#pinger.begin()
    throw notQuiet(obstacle)
  }

  async exec(command: ExecCommand, signal: AbortSignal): Promise<SandboxProcess> {
    this.#mustBeOpen(signal)
    checkCommand(command)
    const process = this.#link.open(FrameType.exec, encodeExec(command), (id) => this.#process(id))
    const start = await abortable(process.start, signal, () => process.abandon())
    if (start.state === 'lost') throw sessionEnded(start.cause)
    if (start.state === 'refused') throw startFailure(command.argv, command.cwd, start.reason)
    return process
  }

  async writeFiles(files: readonly SandboxFile[], signal: AbortSignal): Promise<void> {
    this.#mustBeOpen(signal)
    for (const file of files) checkFile(file)
    const queue = [...files]
    const worker = async () => {
      for (let file = queue.shift(); file; file = queue.shift()) await this.#put(file, signal)
    }
    const workers = Array.from({ length: Math.min(PARALLEL_FILES, files.length) }, worker)
    try {
      await Promise.all(workers)
    } finally {
      queue.length = 0
      await Promise.allSettled(workers)
    }
  }

  async readFile(path: string, limitBytes: number, signal: AbortSignal): Promise<Uint8Array> {
    this.#mustBeOpen(signal)
    checkPath(path)
    const link = this.#link
    const get = link.open(
      FrameType.get,
      encodeGet(path, limitBytes),
      (id) => new FileGet(link, id, limitBytes),
    )
    const transfer = await abortable(get.transfer, signal, () => get.abandon())
    switch (transfer.state) {
      case 'done':
        return transfer.result
      case 'failed':
        throw fileFailure('read', path, transfer.reason)
      case 'too-large':
        throw fileTooLarge(path, limitBytes)
      case 'lost':
        throw sessionEnded(transfer.cause)
    }
  }

  async stats(signal: AbortSignal): Promise<SandboxStats> {
    this.#mustBeOpen(signal)
    const { request, reply } = this.#stats.ask()
    this.#link.send(FrameType.stats, 0, request)
    const stats = await abortable(reply, signal)
    if (!stats) throw sessionEnded(this.#cause)
    return stats
  }

  async #put(file: SandboxFile, signal: AbortSignal): Promise<void> {
    this.#mustBeOpen(signal)
    const link = this.#link
    const put = link.open(
      FrameType.put,
      encodePut(file.path, file.mode ?? 0o644),
      (id) => new FilePut(link, id),
    )
    void put.write(file.content)
    const transfer = await abortable(put.transfer, signal, () => put.abandon())
    if (transfer.state === 'failed') throw fileFailure('write', file.path, transfer.reason)
    if (transfer.state === 'lost') throw sessionEnded(transfer.cause)
  }

  #process(id: number, standsBy = false): ExecProcess {
    return new ExecProcess({
      link: this.#link,
      id,
      standsBy,
      outputLimitBytes: this.#options.outputLimitBytes,
      onOutputLimit: () => this.#link.end('output_limit'),
    })
  }

  #makePinger(): Pinger {
    return makePinger({
      intervalMs: this.#options.pingIntervalMs ?? 5_000,
      timeoutMs: this.#options.pingTimeoutMs ?? 15_000,
      send: (token) => this.#link.send(FrameType.ping, 0, token),
      onSilence: () => this.#link.end('guest_unresponsive'),
    })
  }

  #mustBeOpen(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (this.#link.ended || this.#quiet) throw sessionEnded(this.#cause)
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.hello:
        this.#handshake.hello(frame)
        return
      case FrameType.configured:
        this.#handshake.configured(frame)
        this.#adoptStandby()
        return
      default:
        if (!this.#handshake.isDone) throw new ProtocolViolation('Words before CONFIGURED')
        this.#receiveReady(frame)
    }
  }

  #receiveReady(frame: Frame): void {
    switch (frame.type) {
      case FrameType.pong:
        this.#pinger.answer(frame.payload)
        return
      case FrameType.quiet:
        this.#settle(parseQuiet(frame.payload))
        return
      case FrameType.statsReply:
        this.#stats.answer(frame.payload)
        return
      case FrameType.notice: {
        const notice = parseNotice(frame.payload)
        if (!this.#mayNotify()) throw new ProtocolViolation('Too many notices')
        this.#options.onNotice?.(notice)
        return
      }
      default:
        throw new ProtocolViolation(`Type ${frame.type} outside a channel`)
    }
  }

  #adoptStandby(): void {
    const id = this.#options.machine?.restored?.standby
    if (id === undefined || !this.#handshake.isDone) return
    this.standby = this.#link.adopt(id, () => this.#process(id, true))
  }

  /** Both ends have to agree on what is open. */
  #settle(report: QuietReport): void {
    const open = this.#link.openChannels
    const agreed =
      report.obstacle || open.join() === (report.channel === 0 ? '' : `${report.channel}`)
    if (!this.#quiet || !agreed) throw new ProtocolViolation('QUIET that was not asked for')
    this.#quiet.resolve(report)
  }

  #connect(frame: Frame, adopt: (channel: ConnectChannel) => void): void {
    if (!this.#handshake.isDone) throw new ProtocolViolation('CONNECT before CONFIGURED')
    const target = parseConnect(frame.payload)
    const channel = new ConnectChannel(this.#link, frame.channel)
    adopt(channel)
    this.#options.onConnect(target, channel)
  }

  #end(cause: LimitCause | undefined, failure: Error | undefined): void {
    this.#cause = cause
    this.failure = failure
    this.#pinger.stop()
    this.#stats.lose()
    this.#handshake.lose(cause, failure)
    this.#quiet?.reject(sessionEnded(cause))
    this.#endWaiter.resolve(cause)
  }
}
