import { setTimeout as delay } from 'node:timers/promises'
import { AegisError } from '@aegis/core'
import { openStoreLock } from '@aegis/storage'

/** Long enough for a command that just lists something; a daemon does not let go. */
const patienceMs = 3000
const pauseMs = 50

/**
 * Makes this process the owner of the home, after waiting a little for a command that is about to
 * end. A lock that a daemon holds is reported at once.
 * @throws AegisError `conflict` / `home.locked`
 */
export async function lockHome(
  directory: string,
  heldByDaemon: () => Promise<boolean>,
): Promise<Disposable> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return openStoreLock(directory)
    } catch (error) {
      const locked = error instanceof AegisError && error.code === 'home.locked'
      if (!locked || performance.now() > deadline || (await heldByDaemon())) throw error
      await delay(pauseMs)
    }
  }
}
