import { readFile } from 'node:fs/promises'
import { AegisError } from '@aegis/core'
import { z } from 'zod'

interface Options {
  readonly issuer: string
  /** Where its keys are. */
  readonly jwksUri?: string | undefined
  /** A file with its keys instead. */
  readonly jwksPath?: string | undefined
  readonly fetch?: typeof globalThis.fetch
}

const maxBytes = 256 * 1024
const timeoutMs = 5_000

/**
 * How to ask for the keys of an identity provider: from a file, from an address, or from that which
 * the provider says itself.
 * @throws AegisError `invalid` / `oidc.config` for an address that others could answer at
 */
export function readKeySet(options: Options): () => Promise<unknown> {
  const { issuer, jwksUri, jwksPath, fetch = globalThis.fetch } = options
  if (jwksPath !== undefined && jwksUri !== undefined) {
    throw misconfigured('jwks_path and jwks_uri are both given. Leave out one of them.')
  }
  if (jwksPath !== undefined) return async () => JSON.parse(await textOf(jwksPath))
  if (jwksUri !== undefined) {
    const url = trusted('jwks_uri', jwksUri)
    return () => getJson(fetch, url)
  }
  trusted('issuer', issuer)
  return async () => {
    // As OpenID Connect Discovery 1.0 has it.
    const url = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
    const found = discoverySchema.parse(await getJson(fetch, url))
    if (found.issuer !== issuer) {
      throw new Error(`${url} describes the issuer ${found.issuer}, and not ${issuer}`)
    }
    return getJson(fetch, trusted('jwks_uri of the issuer', found.jwks_uri))
  }
}

const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.url() })

async function textOf(path: string): Promise<string> {
  const text = await readFile(path, 'utf8')
  if (text.length <= maxBytes) return text
  throw new Error(`${path} is larger than ${maxBytes} bytes`)
}

async function getJson(fetch: typeof globalThis.fetch, url: URL): Promise<unknown> {
  const answer = await fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  })
  if (!answer.ok) {
    await answer.body?.cancel()
    throw new Error(`${url} answered ${answer.status}`)
  }
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new Error(`${url} answered with more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}

/** Whoever can answer at it can make keys, and with them tokens. */
function trusted(field: string, address: string): URL {
  const url = new URL(address)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))
    return url
  throw misconfigured(
    `The ${field} ${address} is not reached over TLS, so that others could give it keys of their own. Use https, or name a file with jwks_path.`,
  )
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

const misconfigured = (message: string): AegisError =>
  new AegisError('invalid', 'oidc.config', `spec.security.access.oidc: ${message}`)
