import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import type { NodeConfig } from '@aegis/core'
import { type DaemonRecord, removeDaemonRecord, writeDaemonRecord } from './daemon-record.ts'
import { homeAt } from './home.ts'
import { openNode } from './open-node.ts'
import { version } from './version.ts'

export interface RunDaemonOptions {
  readonly home: string
  readonly config: NodeConfig
  readonly env: NodeJS.ProcessEnv
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly logLevel?: string | undefined
}

/**
 * Serves a home in the foreground until SIGTERM or SIGINT; then stops in good order: what runs is
 * interrupted and taken up again at the next start. A second signal ends it at once.
 */
export async function runDaemon(options: RunDaemonOptions): Promise<void> {
  const { home, config, env, host, port, logLevel } = options
  const { daemonRecord } = homeAt(home)
  const stop = stopSignal()
  await using node = await openNode({ home, config, env, logLevel, serve: { host, port } })
  const { url, logger, scriptedModel } = node
  if (url === undefined) throw new Error('A daemon that does not serve')
  const startedAt = new Date().toISOString()
  const tls = await tlsRecordOf(config)
  await writeDaemonRecord(daemonRecord, { pid: process.pid, url, version, startedAt, ...tls })
  logger.info({ url, version, pid: process.pid }, 'daemon ready')
  if (scriptedModel) {
    logger.warn({}, 'no llm provider is configured: the offline scripted provider answers')
  }
  // Now, since a daemon that is killed writes nothing at its end, and its next start counts most.
  flushCompileCache()
  const name = await stop
  logger.info({ signal: name }, 'daemon stops')
  await removeDaemonRecord(daemonRecord, process.pid)
}

/** What the commands of this home need to reach it over TLS. */
async function tlsRecordOf({ spec }: NodeConfig): Promise<Pick<DaemonRecord, 'tls'>> {
  const { tls } = spec.network
  if (tls === undefined) return {}
  const certificate = await readFile(tls.cert_path, 'utf8')
  return { tls: { certificate, ...(tls.ca_path !== undefined && { keyPath: tls.key_path }) } }
}

/** The first signal to stop. After it none is caught any more, so that the second one ends the process. */
async function stopSignal(): Promise<string> {
  const names = ['SIGTERM', 'SIGINT'] as const
  const heard = new AbortController()
  const { signal } = heard
  const first = await Promise.race(
    names.map((name) => once(process, name, { signal }).then(() => name)),
  )
  heard.abort()
  return first
}
