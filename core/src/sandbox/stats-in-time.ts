import type { Clock } from '../kernel/clock.ts'
import type { Sandbox, SandboxStats } from './sandbox.ts'

/** How long one sandbox may take to say what it uses, in milliseconds. */
const statsTimeoutMs = 2000

/** A sandbox that is ending or hangs has no figures, and holds up nobody. */
export async function statsInTime(
  clock: Clock,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<SandboxStats | undefined> {
  const late = new AbortController()
  const settled = new AbortController()
  const expired = clock.sleep(statsTimeoutMs, settled.signal).then(
    () => late.abort(),
    () => undefined,
  )
  const asked = sandbox.stats(AbortSignal.any([signal, late.signal])).catch(() => undefined)
  const stats = await Promise.race([asked, expired])
  settled.abort()
  return stats ?? undefined
}
