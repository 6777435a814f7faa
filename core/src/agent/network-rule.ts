import type { ManifestHttpRule, ManifestSecurity } from './agent-manifest.ts'
import { type NetworkEntry, parseNetworkEntry } from './network-entry.ts'

/** Which requests of HTTP a rule covers; what is absent covers all. */
export interface HttpCondition {
  /** Upper case. */
  readonly methods?: readonly string[] | undefined
  /** A star stands for any text: `/repos/*`. */
  readonly paths?: readonly string[] | undefined
  /** All must match; a star stands for any text. Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** What one rule of a manifest permits or forbids. */
export type NetworkRule = NetworkEntry & {
  /** The field of the manifest it stands in: `network.allowlist[2]`. */
  readonly field: string
  /** As the manifest writes it. */
  readonly text: string
  /** Present: requests are read to tell which it covers, so that TLS ends at the gateway. */
  readonly http?: HttpCondition | undefined
}

/** Ports of a rule that names none. */
export const defaultPorts: readonly number[] = [80, 443]

type Network = ManifestSecurity['network']

/** What a manifest permits with mode `allow`: its allowlist, then its rules for HTTP. */
export function permittedRules({ allowlist, http }: Network): readonly NetworkRule[] {
  return [...rulesOf('network.allowlist', allowlist), ...http.map(httpRule)]
}

/** What a manifest forbids, whatever permits it. */
export const forbiddenRules = ({ denylist }: Network): readonly NetworkRule[] =>
  rulesOf('network.denylist', denylist)

/** Hosts whose TLS the author wants to pass unread. */
export const opaqueRules = ({ opaque }: Network): readonly NetworkRule[] =>
  rulesOf('network.opaque', opaque)

const rulesOf = (field: string, texts: readonly string[]): readonly NetworkRule[] =>
  texts.map((text, index) => ({ ...entryOf(text), text, field: `${field}[${index}]` }))

function httpRule(rule: ManifestHttpRule, index: number): NetworkRule {
  const { host, ...http } = rule
  return { ...entryOf(host), text: host, field: `network.http[${index}]`, http }
}

function entryOf(text: string): NetworkEntry {
  const entry = parseNetworkEntry(text)
  if ('message' in entry) throw new TypeError(`Not an entry of a network list: ${text}`)
  return entry
}
