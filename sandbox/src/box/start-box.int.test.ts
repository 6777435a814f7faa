import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

const box = `
  import { openSync } from 'node:fs'
  import { startBox } from ${JSON.stringify(join(import.meta.dirname, 'start-box.ts'))}
  try { for (;;) openSync('/dev/null', 'r') } catch {}
  const nothing = { procsFiles: [], processLimits: [], stages: [], bwrap: [] }
  let thrown
  try {
    startBox({ launcherPath: '/bin/true', bwrapPath: '/bin/true', launcherNetwork: false, ...nothing })
  } catch (error) {
    thrown = error
  }
  setImmediate(() => console.log(thrown.kind, thrown.code))
`

it('refuses a box, and lives on, when the daemon has no file descriptor left', async () => {
  const node = [process.execPath, '--input-type=module', '--eval', box]
  const { stdout } = await run('/bin/sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', ...node])
  expect(stdout).toBe('unavailable sandbox.spawn\n')
})
