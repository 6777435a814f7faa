import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('./remove-engine-main.ts', import.meta.url))

/**
 * Removes the engine when this process ends, however that happens: a small process of its own waits
 * for the end of a pipe that nobody else holds. Call the result once the engine is removed.
 */
export function keepEngine(directory: string): () => void {
  const keeper = spawn(
    '/bin/sh',
    ['-c', 'read -r nothing; exec "$@"', 'sh', process.execPath, program, directory],
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'], env: {} },
  )
  keeper.unref()
  if ('unref' in keeper.stdin && typeof keeper.stdin.unref === 'function') keeper.stdin.unref()
  return () => keeper.kill('SIGKILL')
}
