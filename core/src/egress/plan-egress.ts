import type { AgentManifest, ManifestNetworkLimits } from '../agent/agent-manifest.ts'
import type { NetworkEntry } from '../agent/network-entry.ts'
import { defaultPorts, opaqueRules, permittedRules } from '../agent/network-rule.ts'
import { parseDuration } from '../kernel/duration.ts'
import { parseSize } from '../kernel/size.ts'
import type { SecurityConfig } from '../node/security-config-schema.ts'
import type { SandboxNetwork } from '../sandbox/sandbox-spec.ts'
import type { EgressLimits, EgressPlan } from './egress-plan.ts'

/** What the guest of a sandbox can hold; see docs/reference/wire-protocol.md. */
const most = { names: 1000, suffixes: 100, ports: 60 } as const

/** What an agent may reach, in the terms of the gateway. */
export function planEgress(
  { spec }: AgentManifest,
  { egress }: Pick<SecurityConfig, 'egress'>,
): EgressPlan {
  const { network } = spec.security
  return {
    mode: network.mode,
    rules: network.mode === 'allow' ? permittedRules(network) : [],
    opaque: opaqueRules(network),
    reachableRanges: egress.reachable_ranges,
    limits: egressLimits(network.limits, egress.limits),
  }
}

/**
 * What of it appears on the sandbox's loopback: names, and the ports they are named with. The rest
 * (what is beyond the guest's tables, everything of mode `deny`) is there through the proxy.
 */
export function sandboxNetwork({ spec }: AgentManifest): SandboxNetwork | undefined {
  const { network } = spec.security
  if (network.mode === 'none') return undefined
  const rules = network.mode === 'allow' ? permittedRules(network) : []
  const names = rules.flatMap((rule) => (rule.kind === 'host' ? [rule.host] : []))
  const suffixes = rules.flatMap((rule) => (rule.kind === 'suffix' ? [rule.suffix] : []))
  return {
    names: distinct(names, most.names),
    suffixes: distinct(suffixes, most.suffixes),
    ports: distinct([...defaultPorts, ...rules.flatMap(portsOf)], most.ports),
    proxy: true,
  }
}

/** Whether some of its TLS ends at the gateway, so that it has to trust the node's authority. */
export const opensTls = ({ spec }: AgentManifest): boolean =>
  spec.security.network.mode !== 'none' &&
  (spec.security.network.http.length > 0 || Object.keys(spec.secrets).length > 0)

export const portsOf = ({ port }: NetworkEntry): readonly number[] =>
  port === undefined ? defaultPorts : [port]

/** What the manifest asks for, within what the node grants; both may leave it open. */
function egressLimits(asked: ManifestNetworkLimits, granted: ManifestNetworkLimits): EgressLimits {
  const least = (key: keyof ManifestNetworkLimits, fallback: number, read: Read): number => {
    const [own, most = fallback] = [asked[key], granted[key]].map((value) =>
      value === undefined ? undefined : read(String(value)),
    )
    return own === undefined ? most : Math.min(own, granted[key] === undefined ? own : most)
  }
  const rate = [asked.bytes_per_second, granted.bytes_per_second].flatMap((text) =>
    text === undefined ? [] : [parseSize(text)],
  )
  return {
    connections: least('connections', 128, Number),
    connectionsPerMinute: least('connections_per_minute', 3000, Number),
    bytesOut: least('bytes_out', 2 ** 30, parseSize),
    bytesIn: least('bytes_in', 8 * 2 ** 30, parseSize),
    hostBytesOut: least('host_bytes_out', 2 ** 30, parseSize),
    hostBytesIn: least('host_bytes_in', 8 * 2 ** 30, parseSize),
    ...(rate.length > 0 && { bytesPerSecond: Math.min(...rate) }),
    idleTimeoutMs: least('idle_timeout', 300_000, parseDuration),
    totalTimeoutMs: least('total_timeout', 3_600_000, parseDuration),
  }
}

type Read = (text: string) => number

const distinct = <Value>(values: readonly Value[], limit: number): readonly Value[] =>
  [...new Set(values)].slice(0, limit)
