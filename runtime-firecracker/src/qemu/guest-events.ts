import { consoleBytes } from './qemu-command.ts'
import type { QmpClient } from './qmp-client.ts'

/**
 * Resolves when a program in the guest has the port open: when it opens it, or, as it did so before a
 * snapshot, as soon as the machine goes on.
 */
export function wireOpened(qmp: QmpClient): Promise<void> {
  return new Promise((resolve) =>
    qmp.onEvent((name, data) => {
      if (name !== 'VSERPORT_CHANGE' || typeof data !== 'object' || data === null) return
      if ('open' in data && data.open === true) resolve()
    }),
  )
}

/** A guest that ends stands still; its last words are read before QEMU is killed. */
export function guestStopped(qmp: QmpClient, words: { console: string }): Promise<void> {
  return new Promise((resolve) =>
    qmp.onEvent((name) => {
      if (name !== 'SHUTDOWN') return
      void readConsole(qmp).then((text) => {
        words.console = text
        resolve()
      })
    }),
  )
}

export async function readConsole(qmp: QmpClient): Promise<string> {
  const answer = await qmp
    .run('ringbuf-read', { device: 'console', size: consoleBytes })
    .catch(() => '')
  return typeof answer === 'string' ? answer : ''
}
