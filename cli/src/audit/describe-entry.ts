import type { AuditEntry } from '@aegis/core'

/** What an entry is about, in one line: the facts that tell it from others of its type. */
export function describeEntry({ type, data }: AuditEntry): string {
  if (type === 'api.called') {
    const { method, route, resource, status, refused } = data
    return words([
      method === undefined ? data.action : `${method} ${route}`,
      resource,
      status === undefined ? undefined : `-> ${status}`,
      refused === undefined ? undefined : `refused: ${refused}`,
    ])
  }
  if (type === 'execution.denied') {
    const { action, subject, code, count } = data
    const times = count === undefined ? '' : ` (${count} times)`
    return `${action} ${subject}${code === undefined ? '' : `: ${code}`}${times}`
  }
  if (type === 'execution.connecting' || type === 'execution.disconnected') {
    const { connection, host, port, ...facts } = data
    const rest = Object.entries(facts).flatMap(([key, value]) => factOf(key, value))
    return words([`${host}:${port}`, `connection ${connection}`, ...rest])
  }
  return words(Object.entries(data).flatMap(([key, value]) => factOf(key, value)))
}

/** What is long, or the same for all, stands in `aegis audit show`. */
const left = new Set([
  'alias',
  'attempts',
  'bootMs',
  'cpuMillicores',
  'iteration',
  'memoryBytes',
  'priority',
  'provider',
  'reading',
  'sandboxId',
  'via',
])

function factOf(key: string, value: unknown): readonly string[] {
  if (left.has(key) || value === undefined || value === null) return []
  if (typeof value === 'string') {
    return value.startsWith('sha256:') ? [] : [named(key, value)]
  }
  return typeof value === 'number' || typeof value === 'boolean' ? [`${key} ${value}`] : []
}

const named = (key: string, value: string): string =>
  ['name', 'host', 'subject', 'agentName', 'secret', 'model'].includes(key)
    ? value
    : `${key} ${value}`

const words = (parts: readonly unknown[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join(', ')
