import {
  type AgentAction,
  type AgentManifest,
  type HttpCondition,
  type NetworkRule,
  permittedRules,
  portsOf,
} from '@aegis/core'
import { cedarRange } from '../ip-address.ts'
import { type AddressRange, rangeOf } from './address-range.ts'
import { filePathGrammar, type Grammar, hostGrammar, nameGrammar } from './grammar.ts'
import { publicRanges } from './public-ranges.ts'
import { starPattern, type TextPattern, wordPattern } from './text-pattern.ts'

/** Texts: one, or all that a grammar has and that match. */
export type Texts =
  | { readonly word: string }
  | {
      readonly grammar: Grammar
      readonly within: TextPattern
      /** One of them, where that is known. */
      readonly sample?: string
    }

/** Requests that one field of a manifest permits. */
export interface AskedRegion {
  /** `spec.security.network.allowlist[0]` */
  readonly field: string
  /** As the manifest writes it. */
  readonly written: string
  readonly action: AgentAction
  /** Of what it is about: the host, path, tool, … */
  readonly subject: Texts | AddressRange
  readonly ports?: readonly number[] | 'any'
  /** Of `secret.use`. */
  readonly secret?: string
  /** Requests in the connection; absent: all. */
  readonly http?: HttpCondition | undefined
}

/**
 * All that a manifest asks for and that policies decide while it runs. What every agent has by itself,
 * such as its workspace, and models other than its own are not asked for: an operator may narrow
 * them, and the agent is deployed all the same.
 */
export function askedRegions(
  { metadata: { name }, spec }: AgentManifest,
  { allowPublic }: { readonly allowPublic: boolean },
): readonly AskedRegion[] {
  const { network, filesystem } = spec.security
  const places =
    network.mode === 'allow'
      ? permittedRules(network).map(placeOf)
      : network.mode === 'deny' && allowPublic
        ? everywhere
        : []
  const named = places.filter(({ subject }) => !('bits' in subject))
  return [
    ...places.map((place): AskedRegion => ({ ...place, action: 'network.connect' })),
    ...named.map(
      ({ field, written, subject }): AskedRegion => ({
        field,
        written,
        subject,
        action: 'dns.resolve',
      }),
    ),
    ...filesystem.read.flatMap((path, index) => folder('fs.read', 'read', path, index)),
    ...filesystem.write.flatMap((path, index) => [
      ...folder('fs.read', 'write', path, index),
      ...folder('fs.write', 'write', path, index),
    ]),
    ...spec.tools.map(
      (tool, index): AskedRegion => ({
        field: `spec.tools[${index}]`,
        written: tool,
        action: 'tool.invoke',
        subject: { word: tool },
      }),
    ),
    {
      field: 'spec.runtime.model',
      written: spec.runtime.model,
      action: 'llm.generate',
      subject: { word: spec.runtime.model },
    },
    ...Object.entries(spec.secrets).flatMap(([variable, secret]) =>
      places.map(
        ({ subject, ports }): AskedRegion => ({
          field: `spec.secrets.${variable}`,
          written: secret,
          action: 'secret.use',
          secret,
          subject,
          ...(ports !== undefined && { ports }),
        }),
      ),
    ),
    ...(spec.advanced.swarm_enabled ? swarm(name) : []),
  ]
}

type Place = Omit<AskedRegion, 'action'>

function placeOf(rule: NetworkRule): Place {
  return {
    field: `spec.security.${rule.field}`,
    written: rule.text,
    subject: subjectOf(rule),
    ports: portsOf(rule),
    http: rule.http,
  }
}

function subjectOf(rule: NetworkRule): AskedRegion['subject'] {
  switch (rule.kind) {
    case 'host':
      return { word: rule.host }
    case 'suffix':
      return {
        grammar: hostGrammar,
        within: [undefined, ...wordPattern(`.${rule.suffix}`)],
        sample: `x.${rule.suffix}`,
      }
    case 'cidr': {
      const range = rangeOf(cedarRange(rule.address, rule.prefixLength) ?? '')
      if (range === undefined) throw new TypeError(`Not a range of addresses: ${rule.text}`)
      return range
    }
  }
}

const everywhere: readonly Place[] = [
  { grammar: hostGrammar, within: [undefined] },
  ...publicRanges,
].map((subject) => ({
  field: 'spec.security.network.mode',
  written: 'deny',
  subject,
  ports: 'any',
}))

function folder(
  action: 'fs.read' | 'fs.write',
  list: 'read' | 'write',
  path: string,
  index: number,
): readonly AskedRegion[] {
  const shared = { action, field: `spec.security.filesystem.${list}[${index}]`, written: path }
  const below: TextPattern = [...wordPattern(`${path}/`), undefined]
  return [
    { ...shared, subject: { word: path } },
    { ...shared, subject: { grammar: filePathGrammar, within: below } },
  ]
}

function swarm(name: string): readonly AskedRegion[] {
  const shared = { field: 'spec.advanced.swarm_enabled', written: 'true' }
  return [
    { ...shared, action: 'swarm.spawn', subject: { word: name } },
    { ...shared, action: 'swarm.send', subject: { word: name } },
    { ...shared, action: 'swarm.lock', subject: { word: name } },
    {
      ...shared,
      action: 'swarm.lock',
      subject: { grammar: nameGrammar, within: starPattern(`${name}/*`) },
    },
  ]
}
