import type { IncomingMessage } from 'node:http'
import { AegisError } from '@aegis/core'
import { limits } from '../limits.ts'
import { llmFault } from '../llm-fault.ts'

export interface BodyLimits {
  readonly maxBytes: number
  readonly maxDepth: number
  readonly timeoutMs: number
}

export const standardBounds: BodyLimits = {
  maxBytes: limits.requestBytes,
  maxDepth: limits.jsonDepth,
  timeoutMs: limits.bodyMs,
}

/**
 * The JSON of a request, whatever its content type says.
 * @throws AegisError `invalid` when it is too large, too slow, too deep, or no JSON in UTF-8
 */
export async function readBody(
  incoming: IncomingMessage,
  bounds = standardBounds,
): Promise<unknown> {
  return parseJson(await readBytes(incoming, bounds), bounds.maxDepth)
}

export function readBytes(incoming: IncomingMessage, bounds: BodyLimits): Promise<Buffer> {
  const tooLarge = () =>
    llmFault(
      'invalid',
      'request.too-large',
      `The request's body is larger than ${bounds.maxBytes} bytes; send less.`,
      { status: 413 },
    )
  if (Number(incoming.headers['content-length'] ?? 0) > bounds.maxBytes) {
    return Promise.reject(tooLarge())
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const timer = setTimeout(() => {
      const message = `The request's body did not arrive within ${bounds.timeoutMs} ms.`
      settle(() => reject(llmFault('invalid', 'request.too-slow', message, { status: 408 })))
    }, bounds.timeoutMs)
    const settle = (finish: () => void) => {
      clearTimeout(timer)
      incoming.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
      finish()
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > bounds.maxBytes) settle(() => reject(tooLarge()))
      else chunks.push(chunk)
    }
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, size)))
    const onGone = () =>
      settle(() => reject(new AegisError('cancelled', 'request.gone', 'The agent hung up.')))
    incoming.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  })
}

/** @throws AegisError `invalid` / `request.json` */
export function parseJson(bytes: Uint8Array, maxDepth: number): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    if (isDeeper(text, maxDepth)) throw new Error(`it is nested deeper than ${maxDepth} levels`)
    return JSON.parse(text)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AegisError(
      'invalid',
      'request.json',
      `The request's body is not JSON in UTF-8: ${why.slice(0, 200)}`,
      { cause },
    )
  }
}

/** Counts brackets outside strings, so that no recursion later meets a body made to overflow it. */
function isDeeper(text: string, maxDepth: number): boolean {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (inString) {
      if (code === 0x5c) at++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > maxDepth) return true
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return false
}
