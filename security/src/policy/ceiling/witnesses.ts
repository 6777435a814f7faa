import type { AgentRequest, HttpRequestFacts } from '@aegis/core'
import { addressText } from '../ip-address.ts'
import type { AddressRange } from './address-range.ts'
import type { AskedRegion, Texts } from './asked-region.ts'
import { headerGrammar, methodGrammar, urlPathGrammar } from './grammar.ts'
import type { Atoms } from './policy-atoms.ts'
import { type Effort, textClasses } from './text-classes.ts'
import { mayOverlap, starPattern, type TextPattern } from './text-pattern.ts'

/** Thrown with a sentence that says what cannot be told apart. */
export class TooHard extends Error {}

/**
 * Texts of a region, one for each way in which the patterns tell them apart.
 * @throws TooHard
 */
export function textWitnesses(
  texts: Texts,
  patterns: readonly TextPattern[],
  effort: Effort,
): readonly string[] {
  if ('word' in texts) return [texts.word]
  const { grammar, within, sample } = texts
  // Most policies are about quite other hosts.
  const isPlain = patterns.every((pattern) => !mayOverlap(within, pattern))
  if (isPlain && sample !== undefined) return [sample]
  const found = textClasses(grammar, within, patterns, effort)
  if (found !== undefined) return found
  throw new TooHard('its patterns overlap in too many ways')
}

/** The same of addresses: both sides of each border of a range. @throws TooHard */
export function addressWitnesses(
  { bits, first, last }: AddressRange,
  { ranges, texts }: Pick<Atoms, 'ranges' | 'texts'>,
): readonly string[] {
  const unclear = (texts.get('host') ?? []).find((pattern) => mayBeAddress(pattern, bits))
  if (unclear !== undefined && first !== last) {
    throw new TooHard(
      'it compares the text of addresses with a pattern: use context.address.isInRange(ip("…"))',
    )
  }
  const borders = ranges
    .filter((range) => range.bits === bits)
    .flatMap((range) => [range.first - 1n, range.first, range.last, range.last + 1n])
  const inside = borders.filter((number) => number > first && number < last)
  return [...new Set([first, last, ...inside])].map((number) => addressText(bits, number))
}

/** Whether a pattern tells addresses apart: it has a star, something else, and no other characters. */
const mayBeAddress = (pattern: TextPattern, bits: 32 | 128): boolean =>
  pattern.includes(undefined) &&
  pattern.some((char) => char !== undefined) &&
  pattern.every((char) => char === undefined || (bits === 32 ? /[\d.]/ : /[\da-f:.]/).test(char))

/** Ports of a region: both sides of each number that is compared with. */
export function portWitnesses(
  { ports }: Pick<AskedRegion, 'ports'>,
  compared: readonly number[],
): readonly (number | undefined)[] {
  if (ports === undefined) return [undefined]
  if (ports !== 'any') return ports
  const borders = compared.flatMap((port) => [port - 1, port, port + 1])
  const real = [443, 1, 65_535, ...borders].filter((port) => port >= 1 && port <= 65_535)
  return [...new Set(real)]
}

/** What may be inside a connection; undefined for the connection itself. @throws TooHard */
export function httpWitnesses(
  { http: rule = {} }: Pick<AskedRegion, 'http'>,
  { http, texts }: Atoms,
  effort: Effort,
): readonly (HttpRequestFacts | undefined)[] {
  const found: (HttpRequestFacts | undefined)[] = [undefined]
  if (!http) return found
  const patterns = (part: string) => texts.get(part) ?? []
  const methods =
    rule.methods ??
    textWitnesses({ grammar: methodGrammar, within: [undefined] }, patterns('http.method'), effort)
  const paths = (rule.paths ?? ['*']).flatMap((path) =>
    textWitnesses(
      { grammar: urlPathGrammar, within: starPattern(path) },
      patterns('http.path'),
      effort,
    ),
  )
  const names = new Set([
    ...Object.keys(rule.headers ?? {}),
    ...[...texts.keys()].flatMap((part) => (part.startsWith('header ') ? [part.slice(7)] : [])),
  ])
  const choices = [...names].map((name) =>
    headerChoices(name, rule.headers?.[name], patterns, effort),
  )
  for (const method of new Set(methods)) {
    for (const path of new Set(paths)) {
      for (const headers of combine(choices)) {
        found.push({ method, path, headers })
        if (found.length > maxHttpWitnesses) throw new TooHard('there is too much to compare')
      }
    }
  }
  return found
}

/** Kinds of requests inside one connection. */
const maxHttpWitnesses = 10_000

type Header = readonly [string, string] | undefined

/** Values of one header, and its absence, unless the manifest's rule asks for it. */
function headerChoices(
  name: string,
  asked: string | undefined,
  patternsOf: (part: string) => readonly TextPattern[],
  effort: Effort,
): readonly Header[] {
  const within = starPattern(asked ?? '*')
  const texts = { grammar: headerGrammar, within }
  const values = textWitnesses(texts, patternsOf(`header ${name}`), effort).map(
    (value): Header => [name, value],
  )
  return asked === undefined ? [undefined, ...values] : values
}

function* combine(choices: readonly (readonly Header[])[]): Generator<Record<string, string>> {
  const [first, ...rest] = choices
  if (first === undefined) {
    yield {}
    return
  }
  for (const header of first) {
    for (const others of combine(rest)) {
      yield header === undefined ? others : { [header[0]]: header[1], ...others }
    }
  }
}

/** The request that a witness stands for. */
export function requestOf(
  { action, secret = '' }: AskedRegion,
  subject: string,
  port: number | undefined,
  http: HttpRequestFacts | undefined,
): AgentRequest {
  switch (action) {
    case 'network.connect':
      return { action, host: subject, port: port ?? 443, ...(http !== undefined && { http }) }
    case 'dns.resolve':
      return { action, name: subject }
    case 'fs.read':
    case 'fs.write':
      return { action, path: subject }
    case 'tool.invoke':
      return { action, tool: subject }
    case 'llm.generate':
      return { action, model: subject }
    case 'memory.read':
    case 'memory.write':
      return { action, space: subject }
    case 'swarm.spawn':
    case 'swarm.send':
      return { action, agent: subject }
    case 'swarm.lock':
      return { action, lock: subject }
    case 'secret.use':
      return { action, secret, host: subject, port: port ?? 443 }
  }
}
