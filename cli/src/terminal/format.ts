/** `850 ms`, `12.3 s`, `4m 5s`, `2h 3m`. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`
}

/** `1d 0h 12m`, `3h 0m`, `5m`: how long a daemon has been up. */
export function formatUptime(uptimeSeconds: number): string {
  const minutes = Math.floor(uptimeSeconds / 60)
  const hours = Math.floor(minutes / 60)
  if (hours >= 24) return `${Math.floor(hours / 24)}d ${hours % 24}h ${minutes % 60}m`
  return hours > 0 ? `${hours}h ${minutes % 60}m` : `${minutes}m`
}

/** `512 B`, `1.5 KiB`, `23 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes
  let unit = 0
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit += 1
  }
  return `${unit === 0 || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}

/** `12s`, `5m`, `3h`, `2d`, `4y`: a time span where there is little room. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`
  const days = Math.floor(seconds / 86_400)
  return days < 730 ? `${days}d` : `${Math.floor(days / 365)}y`
}

/** `just now`, `12s ago`, `5m ago`, `3h ago`, `2d ago`. */
export function formatAge(instant: string, nowMs: number): string {
  const ms = nowMs - Date.parse(instant)
  if (Number.isNaN(ms)) return instant
  return ms < 2000 ? 'just now' : `${formatSpan(ms)} ago`
}

/** `1 iteration`, `2 iterations`, `3 policies`. */
export const count = (number: number, noun: string, plural = `${noun}s`): string =>
  `${number} ${number === 1 ? noun : plural}`

/** A cost without a currency: it is in that of the node's prices. */
export const formatCost = (cost: number): string => String(Number(cost.toPrecision(3)))
