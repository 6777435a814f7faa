import type { SandboxStatus } from '@aegis/core'

/** The sandboxes at one moment of a clock that counts milliseconds. */
export interface SandboxLook {
  readonly atMs: number
  readonly sandboxes: readonly SandboxStatus[]
}

/** A sandbox and how busy it was since the look before. */
export interface SandboxUsage {
  readonly sandbox: SandboxStatus
  /** 100 is one whole core; undefined until it was looked at twice. */
  readonly cpuPercent: number | undefined
}

/** What runs comes first, then what waits, then what boots; the oldest of each first. */
export function usageOf(
  before: SandboxLook | undefined,
  now: SandboxLook,
): readonly SandboxUsage[] {
  const known = new Map(before?.sandboxes.map((sandbox) => [sandbox.id, sandbox]))
  const elapsedMs = now.atMs - (before?.atMs ?? now.atMs)
  return now.sandboxes
    .map((sandbox) => ({
      sandbox,
      cpuPercent: cpuPercentOf(known.get(sandbox.id), sandbox, elapsedMs),
    }))
    .sort((one, other) => compare(one.sandbox, other.sandbox))
}

function cpuPercentOf(
  before: SandboxStatus | undefined,
  { stats }: SandboxStatus,
  elapsedMs: number,
): number | undefined {
  const cpuMs = before?.stats?.cpuMs
  if (cpuMs === undefined || stats === undefined || elapsedMs <= 0) return undefined
  return Math.max(0, ((stats.cpuMs - cpuMs) / elapsedMs) * 100)
}

const order = { hot: 0, warm: 1, cold: 2 } as const

const compare = (one: SandboxStatus, other: SandboxStatus): number =>
  order[one.state] - order[other.state] ||
  Date.parse(one.since) - Date.parse(other.since) ||
  one.id.localeCompare(other.id)
