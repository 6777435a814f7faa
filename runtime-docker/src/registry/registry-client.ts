import { AegisError } from '@aegis/core'
import { hubRegistry } from '../images/image-name.ts'
import type { RegistryCredentials } from '../images/registry-credentials.ts'
import { withProblem } from '../images/unshown-credentials.ts'
import { readBounded } from './read-bounded.ts'
import { registryLimits } from './registry-limits.ts'
import { answerChallenge, parseChallenge } from './registry-token.ts'

/** A repository of a registry. */
export interface RegistryPlace {
  readonly registry: string
  readonly repository: string
}

/** Reads from registries as the OCI distribution specification says, with what `docker login` left. */
export interface RegistryClient {
  /**
   * What stands at `/v2/<repository>/<path>`; undefined where there is nothing.
   * @throws AegisError `denied` / `image.access` · `unavailable` / `image.network` · `invalid` /
   * the client's code for answers that are too long
   */
  get(
    place: RegistryPlace,
    request: RegistryRequest,
    signal: AbortSignal,
  ): Promise<Buffer | undefined>
  /** For several requests in a row: what the registry was shown once, it is shown again. */
  visit(place: RegistryPlace): RegistryVisit
}

/** A repository that is read from. Not for two requests at a time. */
export interface RegistryVisit {
  /** @throws like `RegistryClient.get` */
  get(request: RegistryRequest, signal: AbortSignal): Promise<Buffer | undefined>
  /**
   * An answer whose body comes as it is read, from the byte `from` on where the registry can do that:
   * its status is then 206. Undefined where there is nothing. @throws like `get`
   */
  open(
    request: { readonly path: string; readonly from: number },
    signal: AbortSignal,
  ): Promise<Response | undefined>
}

export interface RegistryRequest {
  /** `manifests/…` or `blobs/…` */
  readonly path: string
  readonly accept?: string
  readonly mostBytes: number
}

interface Options {
  readonly credentials: Pick<RegistryCredentials, 'find'>
  readonly requestMs?: number
  /** Of the error for an answer that is too long. Default `image.signatures`. */
  readonly tooLong?: string
}

type Headers = Readonly<Record<string, string>>

/** Nothing is kept open between requests, and no token beyond a visit. */
export function openRegistryClient(options: Options): RegistryClient {
  const { credentials, requestMs = registryLimits.requestMs } = options
  const { tooLong = 'image.signatures' } = options

  function visit(place: RegistryPlace): RegistryVisit {
    let bases = basesOf(place.registry)
    let shown: Headers = {}
    /** Why those of this host are not shown. */
    let problem: AegisError | undefined

    async function credentialsOfHost(signal: AbortSignal) {
      try {
        return await credentials.find(place.registry, signal)
      } catch (error) {
        if (signal.aborted || !(error instanceof AegisError)) throw error
        problem = error
        return undefined
      }
    }

    async function ask(url: URL, headers: Headers, signal: AbortSignal): Promise<Response> {
      const first = await follow(url, { ...headers, ...shown }, signal)
      if (first.status !== 401) return first
      await first.body?.cancel()
      const challenge = parseChallenge(first.headers.get('www-authenticate') ?? '')
      const auth = await credentialsOfHost(signal)
      const authorization =
        challenge &&
        (await answerChallenge({
          challenge,
          repository: place.repository,
          auth,
          mayAsk: (realm) => mayLead(url, realm),
          signal,
        }))
      if (authorization === undefined)
        throw withProblem(refused(place, auth !== undefined), problem)
      shown = { authorization }
      return follow(url, { ...headers, ...shown }, signal)
    }

    /** `late` ends what takes too long, and may go on for the body. */
    async function answer<Result>(
      path: string,
      headers: Headers,
      { signal, late }: { readonly signal: AbortSignal; readonly late: AbortSignal },
      take: (response: Response) => Promise<Result>,
    ): Promise<Result | undefined> {
      const until = AbortSignal.any([signal, late])
      let fault: unknown
      for (const base of bases) {
        try {
          const url = new URL(`${base}/v2/${place.repository}/${path}`)
          const response = await ask(url, headers, until)
          bases = [base]
          if (response.ok) return await take(response)
          await response.body?.cancel()
          if (response.status === 404) return undefined
          throw withProblem(unexpected(place, response.status), problem)
        } catch (error) {
          signal.throwIfAborted()
          if (late.aborted) throw silent(place, requestMs)
          if (error instanceof AegisError) throw error
          fault = error
        }
      }
      throw unreachable(place, fault)
    }

    return {
      get({ path, accept, mostBytes }, signal) {
        const headers: Headers = accept === undefined ? {} : { accept }
        const late = AbortSignal.timeout(requestMs)
        return answer(path, headers, { signal, late }, (response) =>
          readBounded(response, mostBytes, tooLong),
        )
      },
      async open({ path, from }, signal) {
        // A digest is of the bytes as they are kept.
        const plain: Headers = { 'accept-encoding': 'identity' }
        const headers = from === 0 ? plain : { ...plain, range: `bytes=${from}-` }
        const late = new AbortController()
        const timer = setTimeout(() => late.abort(), requestMs)
        const until = { signal, late: late.signal }
        return await answer(path, headers, until, async (response) => response).finally(() =>
          clearTimeout(timer),
        )
      },
    }
  }

  return {
    visit,
    get: (place, request, signal) => visit(place).get(request, signal),
  }
}

/** Follows redirects itself: the token of a registry is for no other host. */
async function follow(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  let [at, shown] = [url, headers]
  for (let left: number = registryLimits.redirects; ; left -= 1) {
    const response = await fetch(at, { headers: shown, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) return response
    await response.body?.cancel()
    const next = URL.parse(location, at.href)
    if (left === 0 || next === null || !mayLead(url, next)) {
      throw new AegisError(
        'denied',
        'image.access',
        `${url.host} leads elsewhere, where it is not followed: ${location.slice(0, 200).split('?')[0]}`,
      )
    }
    if (next.origin !== at.origin) {
      const { authorization: _, ...others } = shown
      shown = others
    }
    at = next
  }
}

/** Anywhere with TLS; without it only from this machine to this machine. */
const mayLead = (from: URL, to: URL): boolean =>
  to.protocol === 'https:' ||
  (to.protocol === 'http:' && from.protocol === 'http:' && isLoopback(to.host))

/** As engines do, a registry on this machine is also asked without TLS. */
function basesOf(registry: string): readonly string[] {
  if (registry === hubRegistry) return ['https://registry-1.docker.io']
  return isLoopback(registry)
    ? [`https://${registry}`, `http://${registry}`]
    : [`https://${registry}`]
}

const isLoopback = (host: string): boolean =>
  /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host)

const hostOf = ({ registry }: RegistryPlace): string =>
  registry === hubRegistry ? 'Docker Hub' : registry

const refused = (place: RegistryPlace, authenticated: boolean): AegisError =>
  new AegisError(
    'denied',
    'image.access',
    `${hostOf(place)} refuses ${place.repository} to ${authenticated ? 'the credentials of this host' : 'all who did not log in'}. Log in as the user who runs AEGIS: docker login${place.registry === hubRegistry ? '' : ` ${place.registry}`}`,
  )

function unexpected(place: RegistryPlace, status: number): AegisError {
  if (status === 401 || status === 403) return refused(place, true)
  return new AegisError(
    'unavailable',
    'image.network',
    `${hostOf(place)} answered with status ${status} when it was asked about ${place.repository}. Try again later.`,
  )
}

const silent = (place: RegistryPlace, requestMs: number): AegisError =>
  new AegisError(
    'unavailable',
    'image.network',
    `${hostOf(place)} did not answer within ${requestMs / 1000} s. See whether this host reaches it.`,
  )

function unreachable(place: RegistryPlace, cause: unknown): AegisError {
  const inner = cause instanceof Error ? cause.cause : undefined
  const code = inner instanceof Error && 'code' in inner ? ` (${String(inner.code)})` : ''
  return new AegisError(
    'unavailable',
    'image.network',
    `${hostOf(place)} cannot be reached${code}. See whether this host reaches it: the node asks it itself, not through an engine.`,
    { cause },
  )
}
