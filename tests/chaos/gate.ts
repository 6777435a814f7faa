import { chmod, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentManifest } from '@aegis/core'
import { shellAgent } from './small-agents.ts'

/** Holds agents back until it is opened, whatever happens to their sandboxes meanwhile. */
export interface Gate extends AsyncDisposable {
  /** A host path that the node config must let agents read. */
  readonly directory: string
  /** An agent that says `up`, waits for the gate, and prints its input. */
  waiter(name: string): AgentManifest
  open(): Promise<void>
}

export async function makeGate(): Promise<Gate> {
  // Not below /tmp: that of a sandbox is its own.
  const directory = await realpath(await mkdtemp('/var/tmp/aegis-gate-'))
  await chmod(directory, 0o755)
  const path = join(directory, 'open')
  return {
    directory,
    waiter: (name) =>
      shellAgent(name, `echo up; until [ -e ${path} ]; do sleep 0.05; done; cat`, {
        filesystem: { read: [directory] },
        resources: { cpu: 250, memory: '64Mi', disk: '16Mi', timeout: '120s' },
      }),
    open: () => writeFile(path, ''),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
