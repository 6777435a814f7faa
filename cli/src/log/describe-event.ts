import type { ExecutionEvent, Failure, LlmCall, ResourceUsage } from '@aegis/core'
import { namePinned, shortImageId } from '../image/name-image.ts'
import { count, formatBytes, formatCost, formatMs } from '../terminal/format.ts'
import type { LogLine } from './log-line.ts'

/** An event that is neither console output nor a pull's progress, in words. A text of several lines becomes several lines. */
export function describeEvent(
  event: Exclude<ExecutionEvent, { type: 'execution.console' | 'execution.image-pulling' }>,
): readonly LogLine[] {
  const { at } = event
  const line = (label: string, text: string, rest: Partial<LogLine> = {}): LogLine => ({
    at,
    label,
    text,
    tone: 'plain',
    level: 'normal',
    isError: false,
    ...rest,
  })
  const detail = (label: string, text: string): readonly LogLine[] =>
    text
      .replace(/\n$/, '')
      .split('\n')
      .map((part) => line(label, part, { tone: 'quiet', level: 'detail' }))
  const bad = { tone: 'bad', isError: true } as const

  switch (event.type) {
    case 'execution.queued':
      return [
        line('queued', describeQueued(event)),
        ...detail('input', JSON.stringify(event.input) ?? 'none'),
      ]
    case 'execution.started':
      return [line('started', '')]
    case 'execution.image-pulled':
      return [line('image', `${namePinned(event.image)} pulled in ${formatMs(event.durationMs)}`)]
    case 'execution.interrupted':
      return [line('interrupted', 'the node stopped; it runs again from here', { tone: 'warning' })]
    case 'execution.iteration-started':
      return [line('iteration', `${event.iteration} started`), ...detail('prompt', event.action)]
    case 'execution.sandbox-booted':
      return detail('sandbox', `${event.sandboxId} ${describeBoot(event)}`)
    case 'execution.llm-called':
      return [
        line('llm', describeCall(event.call), event.call.error === undefined ? {} : bad),
        ...detail('llm prompt', event.call.prompt),
        ...detail('llm answer', event.call.response),
      ]
    case 'execution.denied':
      return [
        line('denied', `${event.action} ${event.subject}: ${event.reason}`, {
          tone: 'warning',
          isError: true,
        }),
      ]
    case 'execution.sandbox-terminated':
      if (event.cause !== undefined) return [line('sandbox', `ended by ${event.cause}`, bad)]
      return detail('sandbox', `${event.sandboxId} destroyed`)
    case 'execution.iteration-completed':
      return [line('iteration', `${event.iteration} completed${describeUsage(event.usage)}`)]
    case 'execution.iteration-failed':
      return [
        line(
          'iteration',
          `${event.iteration} failed: ${describeFailure(event.failure)}${describeUsage(event.usage)}`,
          bad,
        ),
      ]
    case 'execution.name-asked':
      return [line('name', event.name)]
    case 'execution.connecting':
      return [line('connecting', describeConnection(event))]
    case 'execution.disconnected': {
      const { bytesOut, bytesIn, durationMs, cause } = event
      const moved = `${formatBytes(bytesOut)} out, ${formatBytes(bytesIn)} in, ${formatMs(durationMs)}`
      const text = `${place(event)} ${moved}${cause === undefined ? '' : `: ${cause}`}`
      return [line('connection', text, cause === undefined ? {} : { tone: 'warning' })]
    }
    case 'execution.secret-used':
      return [line('secret', `${event.secret} for ${event.method} ${place(event)}${event.path}`)]
    case 'execution.cancel-requested':
      return [line('cancelling', event.reason ?? '', { tone: 'warning' })]
    case 'execution.completed':
      return [line('completed', `after ${count(event.iterations, 'iteration')}`, { tone: 'good' })]
    case 'execution.failed':
      return [
        line(
          'failed',
          `after ${count(event.iterations, 'iteration')}: ${describeFailure(event.failure)}`,
          bad,
        ),
      ]
    case 'execution.cancelled':
      return [line('cancelled', event.reason ?? '', { tone: 'warning', isError: true })]
    case 'execution.timed-out':
      return [
        line(
          'timed out',
          `after ${count(event.iterations, 'iteration')}: ${describeFailure(event.failure)}`,
          bad,
        ),
      ]
  }
}

/** `db.example.com:5432 at 10.0.0.5, unread`. */
function describeConnection(
  event: Extract<ExecutionEvent, { type: 'execution.connecting' }>,
): string {
  const at = event.address === event.host ? '' : ` at ${event.address}`
  return `${place(event)}${at}${event.reading === 'opaque' ? ', unread' : ''}`
}

const place = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/**
 * `(docker, gvisor, image 3f2a9c01b7de) was warm, ready in 2 ms`, or `up in …`, or `out of a snapshot in …`.
 */
export function describeBoot(
  event: Extract<ExecutionEvent, { type: 'execution.sandbox-booted' }>,
): string {
  const kind = [
    event.isolation,
    ...(event.applicationKernel === undefined ? [] : [event.applicationKernel]),
    ...(event.monitor === undefined ? [] : [event.monitor]),
    ...(event.image === undefined ? [] : [`image ${shortImageId(event.image)}`]),
  ].join(', ')
  const took = formatMs(event.bootMs)
  if (event.warm === true) return `(${kind}) was warm, ready in ${took}`
  return `(${kind}) ${event.restored === true ? 'out of a snapshot' : 'up'} in ${took}`
}

/** `memory_limit: The agent used more than 128Mi … (killed by KILL)`. */
export function describeFailure(failure: Failure): string {
  const ends = [
    failure.exitCode === undefined ? undefined : `exit code ${failure.exitCode}`,
    failure.signal === undefined ? undefined : `signal ${failure.signal}`,
  ].filter((end) => end !== undefined && !failure.message.includes(end))
  return `${failure.cause}: ${failure.message}${ends.length > 0 ? ` (${ends.join(', ')})` : ''}`
}

function describeQueued(event: Extract<ExecutionEvent, { type: 'execution.queued' }>): string {
  return [
    `${event.agentName} revision ${event.agentRevision}`,
    event.isolation,
    `${event.cpuMillicores}m cpu`,
    `${formatBytes(event.memoryBytes)} memory`,
    ...(event.priority === 0 ? [] : [`priority ${event.priority}`]),
  ].join(', ')
}

function describeCall(call: LlmCall): string {
  const name = `${call.provider}/${call.model}`
  const alias = call.alias === call.model ? '' : ` as ${call.alias}`
  const facts = [
    `${call.promptTokens} + ${call.completionTokens} tokens`,
    formatMs(call.durationMs),
    ...(call.cost > 0 ? [`cost ${formatCost(call.cost)}`] : []),
    ...(call.attempts > 1 ? [`${call.attempts} attempts`] : []),
  ]
  const failed = call.error === undefined ? '' : `failed: ${call.error}, `
  return `${name}${alias}: ${failed}${facts.join(', ')}`
}

function describeUsage(usage: ResourceUsage | undefined): string {
  if (usage === undefined) return ''
  const cpuMs = usage.cpuUserMs + usage.cpuSystemMs
  return ` (cpu ${formatMs(cpuMs)}, memory ${formatBytes(usage.maxRssBytes)})`
}
