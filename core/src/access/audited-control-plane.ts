import type { AuditTrail } from '../audit/audit-entry.ts'
import type { ControlPlane } from '../control-plane.ts'
import { AegisError } from '../kernel/aegis-error.ts'
import type { Clock } from '../kernel/clock.ts'
import { localActor } from './actor.ts'
import { apiCalled } from './api-call.ts'
import { type EmbeddedCall, embeddedCalls } from './embedded-calls.ts'

interface Deps {
  readonly audit: AuditTrail
  readonly clock: Clock
}

/**
 * The same node, whose calls are in the audit as those of the API are: for commands that work on the
 * home without a daemon. A call is recorded before it is answered, a stream before it begins; one
 * that cannot be recorded fails.
 */
export function auditControlPlane(plane: ControlPlane, deps: Deps): ControlPlane {
  const audited = <Part extends keyof ControlPlane>(part: Part): ControlPlane[Part] =>
    auditCalls(plane[part], part, embeddedCalls[part], deps)
  return {
    agents: audited('agents'),
    executions: audited('executions'),
    images: audited('images'),
    sandboxes: audited('sandboxes'),
    policies: audited('policies'),
    secrets: audited('secrets'),
    tokens: audited('tokens'),
    audit: audited('audit'),
    node: audited('node'),
  }
}

function auditCalls<Part extends object>(
  part: Part,
  name: string,
  calls: Readonly<Record<keyof Part, EmbeddedCall>>,
  { audit, clock }: Deps,
): Part {
  const known = new Map<PropertyKey, EmbeddedCall>(Object.entries(calls))

  return new Proxy(part, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key)
      const call = known.get(key)
      if (typeof method !== 'function' || call === undefined) return method
      return (...args: readonly unknown[]): unknown => {
        const startedMs = clock.monotonicMs()
        const record = async (outcome: string, value?: unknown): Promise<void> => {
          const ms = Math.round((clock.monotonicMs() - startedMs) * 10) / 10
          const data = { method: `${name}.${String(key)}`, outcome, ms }
          const subject = subjectOf(call, args[0])
          const { action, makesExecution } = call
          await recorded(
            audit.record([
              apiCalled({
                at: clock.now(),
                via: 'embedded',
                actor: localActor,
                action,
                ...subject,
                ...(makesExecution && typeof value === 'string' && { executionId: value }),
                data,
              }),
            ]),
          )
        }
        const answer: unknown = Reflect.apply(method, target, args)
        return isStream(answer) ? streamed(answer, () => record('begun')) : answered(answer, record)
      }
    },
  })
}

async function answered(
  answer: unknown,
  record: (outcome: string, value?: unknown) => Promise<void>,
): Promise<unknown> {
  let value: unknown
  try {
    value = await answer
  } catch (error) {
    // What failed is the better answer, also where that could not be recorded either.
    await record(error instanceof AegisError ? error.code : 'internal').catch(() => undefined)
    throw error
  }
  await record('done', value)
  return value
}

async function* streamed(
  items: AsyncIterable<unknown>,
  record: () => Promise<void>,
): AsyncGenerator<unknown> {
  await record()
  yield* items
}

/** @throws AegisError `unavailable` / `audit.failed` */
async function recorded(recording: Promise<void>): Promise<void> {
  try {
    await recording
  } catch (cause) {
    throw new AegisError(
      'unavailable',
      'audit.failed',
      'The command could not be recorded in the audit, so it is not confirmed. See whether it took effect before you repeat it.',
      { cause },
    )
  }
}

/** Of an agent or a token that is made: its name. */
function subjectOf(
  { first }: EmbeddedCall,
  value: unknown,
): { readonly resource?: string; readonly executionId?: string } {
  const text = typeof value === 'string' ? value : nameOf(value)
  if (text === undefined || first === undefined) return {}
  return first === 'execution' ? { executionId: text } : { resource: text }
}

function nameOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if ('metadata' in value) return nameOf(value.metadata)
  return 'name' in value && typeof value.name === 'string' ? value.name : undefined
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value
