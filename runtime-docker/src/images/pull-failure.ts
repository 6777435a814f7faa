import { AegisError } from '@aegis/core'
import { disarm } from '../engine/engine-failure.ts'
import { hubRegistry, type ImageName } from './image-name.ts'
import { hostIn, type NetworkFault, networkFaultIn, withoutSecrets } from './network-fault.ts'

/** What a pull ended with. */
export interface PullFailure {
  readonly error: AegisError
  /** The same pull may succeed in a moment. */
  readonly isTransient: boolean
}

export interface FailedPull {
  readonly reference: string
  readonly name: ImageName
  /** What the engine said, as a refusal or in the midst of its stream. */
  readonly words: string
  /** Credentials for the registry were sent along. */
  readonly authenticated: boolean
}

/**
 * What the words of an engine mean. Docker passes on what registries and Go's network code say, and
 * its status is 404 or 500 for nearly everything, so the words are all there is to tell by.
 */
export function pullFailureOf(pull: FailedPull): PullFailure {
  const words = withoutSecrets(disarm(pull.words))
  const kind = kinds.find(({ pattern }) => pattern.test(words))?.kind ?? 'unknown'
  const fail = { ...pull, words }
  switch (kind) {
    case 'space':
      return lasting(noSpace(fail))
    case 'platform':
      return lasting(wrongPlatform(fail))
    case 'name':
      return lasting(noName(fail))
    case 'rate':
      return { error: rateLimited(fail), isTransient: true }
    case 'ambiguous':
      return lasting(hiddenOrAbsent(fail))
    case 'network': {
      const fault = networkFaultIn(words)
      return { error: networkFailed(fail, fault), isTransient: fault.isTransient }
    }
    case 'access':
      return lasting(noAccess(fail))
    case 'absent':
      return lasting(absent(fail))
    case 'unknown':
      return lasting(notPulled(fail))
  }
}

/** The pull brought nothing new for that long. */
export const pullStalled = (reference: string, name: ImageName, silentMs: number): AegisError =>
  new AegisError(
    'unavailable',
    'image.network',
    `Pulling ${reference} brought nothing new for ${Math.round(silentMs / 1000)} seconds: ${hostOf(name)} does not go on. See whether the host of the engine reaches it, and pull again`,
  )

/** An id is of one host only. */
export const noNameToPull = (id: string): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `The image ${id.slice(0, 19)} is not on this host, and an id says not where to fetch it. Name the image, like python:3.11`,
  )

/** The engine says that all went well, and yet does not have it. */
export const pulledNothing = (reference: string): AegisError =>
  new AegisError(
    'unavailable',
    'image.pull-failed',
    `The engine pulled ${reference} and lost it at once. Was it removed meanwhile? Pull it again`,
  )

/** In order: the first that matches tells. None matches what can be the name of an image. */
const kinds = [
  {
    kind: 'space',
    pattern: /no space left on device|disk quota exceeded|not enough space on the disk/i,
  },
  {
    kind: 'platform',
    pattern:
      /no matching manifest for|no match for platform|no image found in (manifest list|image index) for|does not match the specified platform/,
  },
  {
    kind: 'name',
    pattern: /invalid reference format|invalid repository name|must be lowercase/,
  },
  { kind: 'rate', pattern: /toomanyrequests: |429 Too Many Requests|pull rate limit/ },
  {
    kind: 'ambiguous',
    pattern:
      /pull access denied|access to the resource is denied|does not exist or (may require|no pull access)|insufficient_scope: |: denied$/,
  },
  {
    kind: 'network',
    pattern:
      /dial (tcp|udp|unix) |lookup \S+( on \S+)?: |no such host|in name resolution|connection (refused|reset)|broken pipe|no route to host|network is unreachable|i\/o timeout|handshake timeout|Timeout exceeded|deadline exceeded|x509: |tls: |\bEOF\b|proxyconnect |Proxy Authentication Required|HTTP response to HTTPS client|malformed HTTP|50[0234] (Internal|Bad|Service|Gateway|response)|verification failed for digest|unexpected commit (size|digest)|short read|INTERNAL_ERROR|GOAWAY|download failed after attempts/,
  },
  {
    kind: 'access',
    pattern:
      /unauthorized: |unauthorized$|401 Unauthorized|403 Forbidden|40[13] response|authentication required|no basic auth credentials|(incorrect|invalid) username|authorization failed|access denied|denied: |failed to fetch \w+ token/,
  },
  {
    kind: 'absent',
    pattern:
      /(manifest|name|blob) unknown|not known to registry|(manifest|repository|image|tag|reference) .*not found|no such image|image not known|: not found$|404 (Not Found|response)/i,
  },
] as const

interface Failed extends FailedPull {
  /** Fit to be shown. */
  readonly words: string
}

const lasting = (error: AegisError): PullFailure => ({ error, isTransient: false })

const noSpace = ({ reference, words }: Failed): AegisError =>
  new AegisError(
    'exhausted',
    'image.space',
    `There is no room for ${reference} on the engine's disk. Free some (aegis image prune, docker system prune), and pull again. The engine: ${words}`,
  )

const wrongPlatform = ({ reference, words }: Failed): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `${reference} exists, but not for the processor of this host. Name an image that was built for it. The engine: ${words}`,
  )

const noName = ({ reference, words }: Failed): AegisError =>
  new AegisError(
    'invalid',
    'image.reference',
    `${reference} cannot be the name of an image. Write it like python:3.11, in small letters. The engine: ${words}`,
  )

const rateLimited = ({ reference, name, words, authenticated }: Failed): AegisError =>
  new AegisError(
    'unavailable',
    'image.network',
    `${hostOf(name)} hands out no more images for now, so ${reference} cannot be pulled. Wait${authenticated ? '' : `, or raise your limit: ${login(name)}`}. The engine: ${words}`,
  )

const hiddenOrAbsent = ({ reference, name, words, authenticated }: Failed): AegisError =>
  new AegisError(
    'denied',
    'image.access',
    `${reference} does not exist, or it is private: ${hostOf(name)} does not say which. Check the name; if it is right, log in as the user who runs AEGIS${authenticated ? ', with an account that may have it' : ''}: ${login(name)}. The engine: ${words}`,
  )

const noAccess = ({ reference, name, words, authenticated }: Failed): AegisError =>
  new AegisError(
    'denied',
    'image.access',
    `${hostOf(name)} refuses ${reference} to ${authenticated ? 'the credentials of this host' : 'all who did not log in'}. Log in as the user who runs AEGIS: ${login(name)}. The engine: ${words}`,
  )

const absent = ({ reference, name, words }: Failed): AegisError =>
  new AegisError(
    'not-found',
    'image.absent',
    `${hostOf(name)} has no image ${reference}. Check its name and its tag. The engine: ${words}`,
  )

const networkFailed = ({ reference, name, words }: Failed, fault: NetworkFault): AegisError =>
  new AegisError(
    'unavailable',
    'image.network',
    `${reference} cannot be pulled from ${hostIn(words) ?? hostOf(name)}: ${fault.remedy}. The engine: ${words}`,
  )

const notPulled = ({ reference, words }: Failed): AegisError =>
  new AegisError(
    'unavailable',
    'image.pull-failed',
    `The engine could not pull ${reference}: ${words}. Its log says more; try docker pull ${reference}`,
  )

const hostOf = ({ registry }: ImageName): string =>
  registry === hubRegistry ? 'Docker Hub' : registry

const login = ({ registry }: ImageName): string =>
  registry === hubRegistry ? 'docker login' : `docker login ${registry}`
