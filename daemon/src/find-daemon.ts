import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { daemonFetch } from './daemon-fetch.ts'
import { readDaemonRecord } from './daemon-record.ts'
import { homeAt } from './home.ts'

export type DaemonState =
  | {
      readonly state: 'running'
      readonly pid: number
      readonly url: string
      readonly uptimeSeconds: number
      /** Reaches it, also over TLS with a certificate that nobody else knows. */
      readonly fetch: typeof fetch
    }
  /** Its process lives but does not answer. */
  | { readonly state: 'unhealthy'; readonly pid: number; readonly url: string }
  | { readonly state: 'stopped' }

/** Patient: on a machine where everything waits for the processor, a daemon that is late is not ill. */
const healthTimeoutMs = 5_000

const healthSchema = z.object({ uptime_seconds: z.number() })

/** Whether a daemon serves this home: its record, its process, and its answer must agree. */
export async function findDaemon(directory: string): Promise<DaemonState> {
  const record = await readDaemonRecord(homeAt(directory).daemonRecord)
  if (record === undefined || !(await isDaemonProcess(record.pid))) return { state: 'stopped' }
  const { pid, url } = record
  try {
    const fetchFrom = await daemonFetch(record)
    const response = await fetchFrom(new URL('/health', url), {
      signal: AbortSignal.timeout(healthTimeoutMs),
    })
    if (!response.ok) return { state: 'unhealthy', pid, url }
    const health = healthSchema.parse(await response.json())
    return { state: 'running', pid, url, uptimeSeconds: health.uptime_seconds, fetch: fetchFrom }
  } catch {
    return { state: 'unhealthy', pid, url }
  }
}

/** Guards against a pid that the system gave to another program after a crash. */
async function isDaemonProcess(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
  return command === undefined || command.includes('aegis')
}
