import { setTimeout as delay } from 'node:timers/promises'
import type { AgentNames, ControlPlane, Logger } from '@aegis/core'
import { forgetfulTrail, noFigures, openPolicies } from '@aegis/core/testing'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../open-api.ts'

export const token = 'a-token-of-the-tests'
export const authorized = { authorization: `Bearer ${token}`, host: 'localhost:8000' }

export interface TestApp extends AsyncDisposable {
  readonly app: FastifyInstance
  /** What was logged as an error. */
  readonly bugs: object[]
  /** What was logged at all. */
  readonly logged: unknown[]
}

/** The API without a port, to inject requests into. */
export async function openTestApp(
  controlPlane: ControlPlane,
  {
    isReady = true,
    bindAddress = '127.0.0.1',
    allowedHosts = ['aegis.example'],
    servesMetrics = true,
    audit = forgetfulTrail,
    figures = noFigures,
  } = {},
): Promise<TestApp> {
  const bugs: object[] = []
  const logged: unknown[] = []
  const log = (...line: readonly unknown[]) => void logged.push(line)
  const logger: Logger = {
    debug: log,
    info: log,
    warn: log,
    error(fields, message) {
      bugs.push(fields)
      log(fields, message)
    },
  }
  const closing = new AbortController()
  const app = await buildApp(
    {
      node: { as: () => controlPlane, agentNames: namesOf(controlPlane), sandboxFigures: figures },
      policies: openPolicies,
      audit,
      clock: { now: () => new Date().toISOString(), monotonicMs: () => performance.now(), sleep },
      rates: { requestsPerMinute: 1_000_000, failuresPerMinute: 100_000 },
      authenticate: async (given) =>
        given === token ? { actor: { name: 'test', role: 'admin' } } : { refused: 'unknown' },
      network: { bindAddress, port: 0 },
      allowedHosts,
      version: '1.2.3',
      servesMetrics,
      metrics: [{ metrics: async () => '# HELP other_total Of another part\nother_total 1\n' }],
      logger,
      ready: () => isReady,
    },
    closing.signal,
  )
  return {
    app,
    bugs,
    logged,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await app.close()
    },
  }
}

const namesOf = ({ agents, executions }: ControlPlane): AgentNames => ({
  ofRef: (ref) => agents.find(ref).catch(() => undefined),
  async ofExecution(id) {
    const found = await executions.find(id).catch(() => undefined)
    return found && { id: found.agentId, name: found.agentName }
  },
})

const sleep = (ms: number, signal: AbortSignal): Promise<void> => delay(ms, undefined, { signal })
