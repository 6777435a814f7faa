import type { SandboxSpec } from '@aegis/core'
import { openRuntime, type RuntimeChoice } from './hosts/open-runtime.ts'
import { firstLine, specWith } from './sandbox-driver.ts'

/** What a parent sends; of the specs all but their functions arrives. */
export interface Abandonment {
  readonly choice: RuntimeChoice
  readonly specs: readonly SandboxSpec[]
  readonly path: string
}

/** Boots sandboxes with commands in them, says so to its parent, and waits to be killed. */
process.once('message', async ({ choice, specs, path }: Abandonment) => {
  const never = new AbortController().signal
  const runtime = await openRuntime(choice)
  for (const spec of specs) {
    const sandbox = await runtime.boot(specWith(spec), never)
    const argv = ['/bin/sh', '-c', 'echo ready; sleep 1000'] as const
    const running = await sandbox.exec({ argv: [...argv], env: { PATH: path }, cwd: '/' }, never)
    await firstLine(running.stdout)
  }
  process.send?.('ready')
})
