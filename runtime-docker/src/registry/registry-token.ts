import { AegisError } from '@aegis/core'
import * as z from 'zod'
import type { RegistryAuth } from '../images/docker-config.ts'
import { readBounded } from './read-bounded.ts'
import { registryLimits } from './registry-limits.ts'

/** What a registry asks for with `WWW-Authenticate`. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer'
  readonly parameters: Readonly<Record<string, string>>
}

/** Undefined for what is none, or of another scheme. */
export function parseChallenge(header: string): Challenge | undefined {
  const [, word = '', rest = ''] = /^\s*(basic|bearer)(?:\s+(.*))?$/is.exec(header) ?? []
  const scheme = word.toLowerCase()
  if (scheme !== 'basic' && scheme !== 'bearer') return undefined
  const parts = rest.matchAll(/([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]*))/gi)
  const parameters = Object.fromEntries(
    [...parts].map(([, name = '', quoted, bare = '']) => [name.toLowerCase(), quoted ?? bare]),
  )
  return { scheme, parameters }
}

export interface TokenRequest {
  readonly challenge: Challenge
  readonly repository: string
  readonly auth: RegistryAuth | undefined
  /** Whether something may be asked without TLS: of a registry on the loopback alone. */
  readonly mayAsk: (url: URL) => boolean
  readonly signal: AbortSignal
}

const tokenSchema = z
  .object({ token: z.string().optional(), access_token: z.string().optional() })
  .transform(({ token, access_token }) => token || access_token)

/**
 * The Authorization header that answers a challenge (Docker Registry v2 authentication); undefined
 * where this host has nothing to show.
 */
export async function answerChallenge(request: TokenRequest): Promise<string | undefined> {
  const { challenge, auth } = request
  if (auth !== undefined && 'registrytoken' in auth) return `Bearer ${auth.registrytoken}`
  if (challenge.scheme === 'basic') {
    return auth !== undefined && 'username' in auth ? basic(auth) : undefined
  }
  const token = await askToken(request)
  return token && `Bearer ${token}`
}

async function askToken(request: TokenRequest): Promise<string | undefined> {
  const { challenge, repository, auth, signal } = request
  const { realm = '', service } = challenge.parameters
  const url = URL.parse(realm)
  if (url === null || !request.mayAsk(url)) throw badRealm(realm)
  const scope = `repository:${repository}:pull`
  const asked = { ...(service !== undefined && { service }), scope }
  if (auth !== undefined && 'identitytoken' in auth) {
    const body = new URLSearchParams({
      ...asked,
      grant_type: 'refresh_token',
      client_id: 'aegis',
      refresh_token: auth.identitytoken,
    })
    return tokenIn(await fetch(url, { method: 'POST', body, redirect: 'error', signal }))
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
  const headers = auth !== undefined && 'username' in auth ? { authorization: basic(auth) } : {}
  return tokenIn(await fetch(url, { headers, redirect: 'error', signal }))
}

async function tokenIn(response: Response): Promise<string | undefined> {
  const text = (await readBounded(response, registryLimits.tokenBytes, 'image.access')).toString()
  if (!response.ok) return undefined
  try {
    const parsed = tokenSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

const basic = ({ username, password }: { username: string; password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

const badRealm = (realm: string): AegisError =>
  new AegisError(
    'denied',
    'image.access',
    `The registry wants a token from ${JSON.stringify(realm.slice(0, 200))}, where credentials are not sent: it has no TLS.`,
  )
