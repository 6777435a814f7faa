import { openProcessRuntime, type ProcessRuntimeOptions, sandboxPath } from '@aegis/runtime-process'
import { firstLine, specWith } from './sandbox-driver.ts'

/** Boots sandboxes with commands in them, says so to its parent, and waits to be killed. */
process.once('message', async (options: ProcessRuntimeOptions) => {
  const never = new AbortController().signal
  const runtime = await openProcessRuntime(options)
  for (const readOnly of [false, true]) {
    const sandbox = await runtime.boot(specWith({ filesystem: { readOnly } }), never)
    const argv = ['/bin/sh', '-c', 'echo ready; sleep 1000'] as const
    const running = await sandbox.exec(
      { argv: [...argv], env: { PATH: sandboxPath }, cwd: '/' },
      never,
    )
    await firstLine(running.stdout)
  }
  process.send?.('ready')
})
