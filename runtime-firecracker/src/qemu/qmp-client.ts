import type { Duplex } from 'node:stream'
import { AegisError } from '@aegis/core'
import { abortable } from '@aegis/sandbox'
import { disarm } from '../disarm.ts'
import { parseQmpMessage, type QmpMessage } from './qmp-message.ts'

/** A conversation with one QEMU over its monitor socket. */
export interface QmpClient extends Disposable {
  /** Resolves with the version once QEMU has said who it is and takes commands. */
  readonly ready: Promise<string>
  /** Resolves once nothing more will be heard; never rejects. */
  readonly closed: Promise<void>
  /**
   * @throws AegisError `unavailable` / `qemu.command` QEMU refused it · `unavailable` / `qemu.lost` it
   * is gone or talks nonsense · `timeout` / `qemu.timeout`
   */
  run(command: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Hears of each event from now on. */
  onEvent(listener: (name: string, data: unknown) => void): void
}

/** Longest line that is taken from QEMU: the console's buffer, with each character escaped. */
export const qmpLineMax = 256 << 10

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: AegisError) => void
}

/** `stream` belongs to the client: it is destroyed with it, and when QEMU talks nonsense. */
export function makeQmpClient(stream: Duplex, timeoutMs: number): QmpClient {
  const pending = new Map<number, Pending>()
  const listeners: ((name: string, data: unknown) => void)[] = []
  const closed = Promise.withResolvers<void>()
  const greeting = Promise.withResolvers<string>()
  let lastId = 0
  let over: AegisError | undefined

  const end = (why: string): void => {
    if (over !== undefined) return
    over = lost(why)
    stream.destroy()
    greeting.reject(over)
    for (const { reject } of pending.values()) reject(over)
    pending.clear()
    closed.resolve()
  }

  const run = async (command: string, parameters?: Readonly<Record<string, unknown>>) => {
    if (over !== undefined) throw over
    const id = ++lastId
    const answer = Promise.withResolvers<unknown>()
    pending.set(id, { command, ...answer })
    const request = { execute: command, ...(parameters && { arguments: parameters }), id }
    stream.write(`${JSON.stringify(request)}\n`)
    const late = AbortSignal.timeout(timeoutMs)
    try {
      return await abortable(answer.promise, late)
    } catch (error) {
      throw late.aborted && pending.has(id) ? tooLate(command, timeoutMs) : error
    } finally {
      pending.delete(id)
    }
  }

  readLines(stream, {
    end,
    line(text) {
      const message = parseQmpMessage(text)
      if (message === undefined) end('it says what is no message')
      else receive(message)
    },
  })
  const receive = (message: QmpMessage): void => {
    switch (message.kind) {
      case 'greeting':
        greeting.resolve(message.version)
        return
      case 'return':
        pending.get(message.id)?.resolve(message.value)
        return
      case 'error': {
        const { id, because } = message
        const asked = id === undefined ? undefined : pending.get(id)
        // Without an id it is about a line that QEMU could not read, and all of ours can be read.
        if (asked !== undefined) asked.reject(refused(asked.command, because))
        else if (id === undefined) end(`it cannot read what it is told: ${disarm(because)}`)
        return
      }
      case 'event':
        for (const listener of listeners) listener(message.name, message.data)
    }
  }

  const ready = greeting.promise.then(async (version) => {
    await run('qmp_capabilities')
    return version
  })
  // Whoever boots hears of it where it waits.
  ready.catch(() => {})

  return {
    ready,
    closed: closed.promise,
    run,
    onEvent: (listener) => void listeners.push(listener),
    [Symbol.dispose]: () => end('it is no longer wanted'),
  }
}

interface LineReader {
  line(text: string): void
  end(why: string): void
}

function readLines(stream: Duplex, { line, end }: LineReader): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > qmpLineMax || lines.some(({ length }) => length > qmpLineMax))
      return end(`it says lines of more than ${qmpLineMax} characters`)
    for (const text of lines) if (text.trim() !== '') line(text)
  })
  stream.on('error', () => end('the connection broke'))
  stream.on('close', () => end('it has ended'))
  stream.on('end', () => end('it has ended'))
}

const lost = (why: string): AegisError =>
  new AegisError('unavailable', 'qemu.lost', `QEMU is of no use any more: ${why}`)

const refused = (command: string, because: string): AegisError =>
  new AegisError('unavailable', 'qemu.command', `QEMU refused ${command}: ${disarm(because)}`)

const tooLate = (command: string, timeoutMs: number): AegisError =>
  new AegisError(
    'timeout',
    'qemu.timeout',
    `QEMU did not answer to ${command} within ${timeoutMs} ms`,
  )
