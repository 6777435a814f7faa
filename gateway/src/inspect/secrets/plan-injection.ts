import type { ExecutionSecret, SecretPlace } from '@aegis/core'
import { requestFault } from '../http/request-fault.ts'
import { PlaceholderLeak, type PlaceholderScanner } from '../placeholder-scanner.ts'
import { type Injectable, planSigning, type Signing } from './plan-signing.ts'

/** Where the secrets of a request go. Nothing of them is in it before `reveal`. */
export interface Injection {
  readonly uses: readonly PlannedUse[]
  /** Its payload has to be known before it can be signed. */
  readonly needsBody: boolean
  /** The request with the values. `body`: where it is needed. */
  reveal(method: string, body: Uint8Array): Injectable
}

export interface PlannedUse {
  readonly secret: ExecutionSecret
  readonly place: SecretPlace
}

/**
 * Finds the placeholders in a request. `bound` are the secrets that belong to its host, over TLS.
 * @throws PlaceholderLeak for one that stands where it must not
 */
export function planInjection(
  request: Injectable,
  bound: readonly ExecutionSecret[],
  scanner: PlaceholderScanner,
): Injection {
  const uses = new Map<string, PlannedUse>()
  const use = (secret: ExecutionSecret, place: SecretPlace) =>
    uses.set(`${secret.name} ${place}`, { secret, place })
  const signing = planSigning(request, bound, scanner)
  if (signing !== undefined) use(signing.secret, 'sigv4')

  const target = planTarget(request.target, bound, scanner, use)
  const headers = request.headers.map(([name, value]) => {
    const leaked = scanner.find(name)
    if (leaked !== undefined) throw new PlaceholderLeak(leaked)
    if (scanner.find(value) === undefined || signing?.owns(name)) {
      return { name, reveal: () => value }
    }
    return { name, reveal: planHeader(name, value, bound, scanner, use) }
  })
  return {
    uses: [...uses.values()],
    needsBody: signing?.needsBody ?? false,
    reveal(method, body) {
      const revealed: Injectable = {
        target: target(),
        headers: headers.map(({ name, reveal }) => [name, reveal()]),
      }
      return signing === undefined ? revealed : sign(signing, method, revealed, body)
    },
  }
}

type Use = (secret: ExecutionSecret, place: SecretPlace) => void
type Reveal = () => string

const sign = (signing: Signing, method: string, request: Injectable, body: Uint8Array) => ({
  ...request,
  headers: signing.sign(method, request, body),
})

function planTarget(
  target: string,
  bound: readonly ExecutionSecret[],
  scanner: PlaceholderScanner,
  use: Use,
): Reveal {
  if (scanner.find(target) === undefined) return () => target
  const start = target.indexOf('?') < 0 ? target.length : target.indexOf('?')
  const query = target.slice(start)
  const plan = replaceIn(query, allowing(bound, ['query']), (text) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`),
  )
  const leaked = scanner.find(target.slice(0, start) + plan.rest)
  if (leaked !== undefined) throw new PlaceholderLeak(leaked)
  for (const secret of plan.found) use(secret, 'query')
  return () => target.slice(0, start) + plan.reveal()
}

function planHeader(
  name: string,
  value: string,
  bound: readonly ExecutionSecret[],
  scanner: PlaceholderScanner,
  use: Use,
): Reveal {
  const credentials = name.toLowerCase() === 'authorization'
  const basic = credentials ? /^(basic +)([A-Za-z0-9+/]+={0,2}) *$/i.exec(value) : null
  if (basic !== null) {
    const [, scheme = '', encoded = ''] = basic
    const text = Buffer.from(encoded, 'base64').toString('latin1')
    const plan = replaceIn(text, allowing(bound, ['basic']), latin1)
    settle(plan, scanner, () => 'basic', use)
    return () => scheme + Buffer.from(plan.reveal(), 'latin1').toString('base64')
  }
  const bearer = credentials && /^bearer +[^\s,]+ *$/i.test(value)
  const places: SecretPlace[] = bearer ? ['bearer', 'header'] : ['header']
  const plan = replaceIn(value, allowing(bound, places), latin1)
  const placeOf = ({ places: own }: ExecutionSecret): SecretPlace =>
    bearer && own.includes('bearer') ? 'bearer' : 'header'
  settle(plan, scanner, placeOf, use)
  return () => requireHeaderText(plan.reveal(), plan.found)
}

interface Replacement {
  readonly found: readonly ExecutionSecret[]
  /** The text without the placeholders that were found. */
  readonly rest: string
  readonly reveal: Reveal
}

function replaceIn(
  text: string,
  secrets: readonly ExecutionSecret[],
  write: (value: string) => string,
): Replacement {
  const found = secrets.filter(({ placeholder }) => text.includes(placeholder))
  return {
    found,
    rest: found.reduce((rest, { placeholder }) => rest.replaceAll(placeholder, ''), text),
    reveal: () =>
      found.reduce(
        (out, { placeholder, value }) => out.replaceAll(placeholder, () => write(value.reveal())),
        text,
      ),
  }
}

function settle(
  { rest, found }: Replacement,
  scanner: PlaceholderScanner,
  placeOf: (secret: ExecutionSecret) => SecretPlace,
  use: Use,
): void {
  const leaked = scanner.find(rest)
  if (leaked !== undefined) throw new PlaceholderLeak(leaked)
  for (const secret of found) use(secret, placeOf(secret))
}

/** A value with a line break would be a header of its own. */
function requireHeaderText(text: string, found: Replacement['found']): string {
  if (/^[\t -~\x80-\xff]*$/.test(text)) return text
  const names = found.map(({ name }) => name).join(', ')
  throw requestFault('invalid', 'secret.unfit', `The value of ${names} cannot stand in a header.`, {
    status: 502,
    remedy: 'Set it again without line breaks and control characters: aegis secret set.',
  })
}

const allowing = (
  secrets: readonly ExecutionSecret[],
  places: readonly SecretPlace[],
): readonly ExecutionSecret[] =>
  secrets.filter((secret) => places.some((place) => secret.places.includes(place)))

/** Headers hold bytes; a value beyond ASCII goes out in UTF-8. */
const latin1 = (value: string): string => Buffer.from(value).toString('latin1')
