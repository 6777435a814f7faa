import { createHash } from 'node:crypto'
import { AegisError } from '@aegis/core'
import { kernelLimits } from '../kernel-limits.ts'

export interface DownloadOptions {
  /** More than that is refused. */
  readonly maxBytes: number
  readonly signal: AbortSignal
  /** In hex; what is not that is refused. */
  readonly sha256?: string
  readonly onBytes?: (received: number, total: number | undefined) => void
}

/**
 * A file from a mirror, whole and checked.
 * @throws AegisError `not-found` / `kernel.gone` · `unavailable` / `kernel.download` ·
 * `denied` / `kernel.digest` it is not what it should be
 */
export async function download(url: string, options: DownloadOptions): Promise<Buffer> {
  const silence = new AbortController()
  const signal = AbortSignal.any([options.signal, silence.signal])
  const giveUp = () =>
    silence.abort(new Error(`nothing came for ${kernelLimits.silenceMs / 1000} s`))
  let timer = setTimeout(giveUp, kernelLimits.silenceMs)
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(giveUp, kernelLimits.silenceMs)
  }
  try {
    const response = await fetch(url, { signal })
    if (!response.ok || response.body === null) throw await refused(url, response)
    const content = await collect(url, response, options, heard)
    const digest = createHash('sha256').update(content).digest('hex')
    if (options.sha256 !== undefined && digest !== options.sha256) throw wrong(url, digest, options)
    return content
  } catch (cause) {
    options.signal.throwIfAborted()
    if (cause instanceof AegisError) throw cause
    throw unavailable(url, silence.signal.aborted ? silence.signal.reason : cause)
  } finally {
    clearTimeout(timer)
  }
}

async function collect(
  url: string,
  response: Response,
  { maxBytes, onBytes }: DownloadOptions,
  heard: () => void,
): Promise<Buffer> {
  const length = Number(response.headers.get('content-length') ?? Number.NaN)
  const total = Number.isSafeInteger(length) && length >= 0 ? length : undefined
  const parts: Uint8Array[] = []
  let received = 0
  for await (const part of response.body ?? []) {
    heard()
    received += part.length
    if (received > maxBytes)
      throw new AegisError(
        'denied',
        'kernel.digest',
        `${url} is larger than the ${maxBytes} bytes that it may have. Name another mirror with --mirror.`,
      )
    parts.push(part)
    onBytes?.(received, total)
  }
  return Buffer.concat(parts)
}

async function refused(url: string, response: Response): Promise<AegisError> {
  await response.body?.cancel()
  const { status } = response
  if (status === 404 || status === 410)
    return new AegisError('not-found', 'kernel.gone', `${url} is not there (${status}).`)
  return unavailable(url, new Error(`it answered ${status}`))
}

function unavailable(url: string, cause: unknown): AegisError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const reason = inner instanceof Error ? inner.message : String(inner)
  return new AegisError(
    'unavailable',
    'kernel.download',
    `${url} could not be fetched: ${reason}. Try again, or name another mirror with --mirror.`,
    { cause },
  )
}

const wrong = (url: string, digest: string, { sha256 }: DownloadOptions) =>
  new AegisError(
    'denied',
    'kernel.digest',
    `${url} was altered: its SHA-256 is ${digest}, and should be ${sha256}. Name another mirror with --mirror.`,
  )
