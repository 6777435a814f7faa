import type { ControlPlane, Logger } from '@aegis/core'
import { openAccess } from '@aegis/tests/contract/control-plane-host.ts'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../open-api.ts'

export const token = 'a-token-of-the-tests'
export const authorized = { authorization: `Bearer ${token}`, host: 'localhost:8000' }

export interface TestApp extends AsyncDisposable {
  readonly app: FastifyInstance
  /** What was logged as an error. */
  readonly bugs: object[]
}

/** The API without a port, to inject requests into. */
export async function openTestApp(
  controlPlane: ControlPlane,
  {
    isReady = true,
    bindAddress = '127.0.0.1',
    allowedHosts = ['aegis.example'],
    servesMetrics = true,
  } = {},
): Promise<TestApp> {
  const bugs: object[] = []
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields) => bugs.push(fields),
  }
  const closing = new AbortController()
  const app = await buildApp(
    {
      ...openAccess(controlPlane),
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
    async [Symbol.asyncDispose]() {
      closing.abort()
      await app.close()
    },
  }
}
