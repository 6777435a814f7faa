import type { Readable } from 'node:stream'
import { AegisError } from '@aegis/core'
import { abortable } from '@aegis/sandbox'
import type * as z from 'zod'
import { type Attachment, openAttachment } from './attachment.ts'
import type { EngineEndpoint } from './engine-endpoint.ts'
import { disarm, engineNonsense, isUnreachable, refusalOf } from './engine-failure.ts'
import {
  type EngineRequest,
  type EngineTransport,
  nameOf,
  openEngineTransport,
  translated,
} from './engine-transport.ts'
import { jsonLines } from './json-lines.ts'
import { piecesOf } from './pieces-of.ts'

/** The newest version of the API that this client knows, and the oldest with all it needs. */
export const newestApi = '1.51'
export const oldestApi = '1.41'

/** An engine as it introduces itself. */
export interface EngineIdentity {
  /** Version of the API that is spoken with it. */
  readonly apiVersion: string
  /** The newest it knows. */
  readonly ownApiVersion: string
  readonly podman: boolean
}

/**
 * The Docker Engine API of one engine. Nothing is asked before the first method is called.
 * All methods throw AegisError `unavailable` / `engine.unreachable`, `engine.answer` · `timeout` /
 * `engine.timeout` · `unsupported` / `engine.version`, and `engine.refused` of a kind that fits the
 * status when the engine says no; `refusalOf` then gives its words.
 */
export interface EngineClient extends Disposable {
  readonly endpoint: EngineEndpoint
  identify(signal: AbortSignal): Promise<EngineIdentity>
  /** The JSON of the answer, parsed. */
  call<Output>(
    schema: z.ZodType<Output>,
    request: EngineRequest,
    signal: AbortSignal,
  ): Promise<Output>
  /** For requests whose answer says nothing more than that it worked. */
  run(request: EngineRequest, signal: AbortSignal): Promise<void>
  /** The JSON values of an answer that goes on until the engine or the signal ends it. */
  stream<Output>(
    schema: z.ZodType<Output>,
    request: EngineRequest,
    signal: AbortSignal,
  ): AsyncIterable<Output>
  /** The bytes of an answer, as they come; ending the reading, or the signal, ends the answer. */
  download(request: EngineRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Unpacks a tar archive into a container, which need not run. */
  upload(
    containerId: string,
    directory: string,
    tar: Uint8Array,
    signal: AbortSignal,
  ): Promise<void>
  /** Takes over stdin, stdout and stderr of a container; it may be started afterwards. */
  attach(containerId: string, signal: AbortSignal): Promise<Attachment>
}

export function openEngineClient(endpoint: EngineEndpoint): EngineClient {
  const transport = openEngineTransport(endpoint)
  const introduction = makeIntroduction(transport)

  /** Sends a request in the version that was agreed upon; agrees anew with an engine that changed. */
  const versioned = async <Answer>(
    request: EngineRequest,
    signal: AbortSignal,
    send: (versioned: EngineRequest, signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> => {
    const attempt = async (): Promise<Answer> => {
      const { apiVersion } = await introduction.heard(signal)
      return send({ ...request, path: `/v${apiVersion}${request.path}` }, signal)
    }
    return attempt().catch((error: unknown) => {
      if (isUnreachable(error)) introduction.forget()
      if (!isOtherVersion(error)) throw error
      introduction.forget()
      return attempt()
    })
  }

  return {
    endpoint,
    identify: introduction.heard,
    async call(schema, request, signal) {
      const { text } = await versioned(request, signal, transport.text)
      return parsed(schema, request, () => JSON.parse(text))
    },
    async run(request, signal) {
      await versioned(request, signal, transport.text)
    },
    async *stream(schema, request, signal) {
      const incoming = await versioned(request, signal, transport.send)
      try {
        for await (const value of jsonLines(incoming)) yield parsed(schema, request, () => value)
      } catch (cause) {
        signal.throwIfAborted()
        if (cause instanceof SyntaxError || cause instanceof RangeError)
          throw engineNonsense(nameOf(request), disarm(cause.message), cause)
        throw translated(endpoint, cause)
      } finally {
        incoming.destroy()
      }
    },
    async download(request, signal) {
      const incoming = await versioned(request, signal, transport.send)
      return bytesOf(endpoint, incoming, signal)
    },
    async upload(containerId, directory, tar, signal) {
      const request: EngineRequest = {
        method: 'PUT',
        path: `/containers/${containerId}/archive`,
        query: { path: directory, noOverwriteDirNonDir: 'true' },
        bytes: { content: tar, type: 'application/x-tar' },
      }
      await versioned(request, signal, transport.text)
    },
    async attach(containerId, signal) {
      const request: EngineRequest = {
        method: 'POST',
        path: `/containers/${containerId}/attach`,
        query: { stream: '1', stdin: '1', stdout: '1', stderr: '1' },
      }
      return openAttachment(await versioned(request, signal, transport.upgrade))
    },
    [Symbol.dispose]: () => transport.close(),
  }
}

async function* bytesOf(
  endpoint: EngineEndpoint,
  incoming: Readable,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  try {
    yield* piecesOf(incoming)
  } catch (cause) {
    signal.throwIfAborted()
    throw translated(endpoint, cause)
  }
}

/** Asks the engine for its version once; again when that failed, or when told to forget it. */
function makeIntroduction(transport: EngineTransport) {
  let known: Promise<EngineIdentity> | undefined
  return {
    async heard(signal: AbortSignal): Promise<EngineIdentity> {
      // Shared by all who wait, so no single one of them may cancel it.
      const asking = known ?? ask(transport)
      known = asking
      asking.catch(() => {
        if (known === asking) known = undefined
      })
      return abortable(asking, signal)
    },
    forget() {
      known = undefined
    },
  }
}

/** What an engine answers that was replaced by one of another version since. */
function isOtherVersion(error: unknown): boolean {
  const refusal = refusalOf(error)
  return refusal?.status === 400 && /client version .* is too (old|new)/.test(refusal.words)
}

const pingTimeoutMs = 10_000

async function ask(transport: EngineTransport): Promise<EngineIdentity> {
  const request = { method: 'GET', path: '/_ping', timeoutMs: pingTimeoutMs } as const
  const { headers } = await transport.text(request, new AbortController().signal)
  const own = headers['api-version']
  if (typeof own !== 'string' || !/^\d{1,3}\.\d{1,3}$/.test(own))
    throw engineNonsense(nameOf(request), 'it names no version of the API')
  if (isOlder(own, oldestApi))
    throw new AegisError(
      'unsupported',
      'engine.version',
      `The Docker engine speaks version ${own} of its API, and AEGIS needs ${oldestApi}: Docker 20.10 or newer, Podman 4 or newer. Update it`,
    )
  return {
    apiVersion: isOlder(own, newestApi) ? own : newestApi,
    ownApiVersion: own,
    podman: headers['libpod-api-version'] !== undefined,
  }
}

function isOlder(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split('.').map(Number)
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number)
  return major < otherMajor || (major === otherMajor && minor < otherMinor)
}

function parsed<Output>(
  schema: z.ZodType<Output>,
  request: EngineRequest,
  read: () => unknown,
): Output {
  try {
    return schema.parse(read())
  } catch (cause) {
    const because = cause instanceof Error ? disarm(cause.message) : ''
    throw engineNonsense(nameOf(request), because, cause)
  }
}
