import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findDaemon } from '@aegis/daemon'
import type { Benchmark } from '../measure.ts'

const entry = fileURLToPath(new URL('../../cli/bin/aegis.js', import.meta.url))

/** Proportional set size in MiB: what a process would give back if it ended. */
function pssMiB(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN) / 1024
}

export const benchmark: Benchmark = {
  title: 'Memory of the idle daemon',
  about: 'Proportional set size five seconds after it is ready, over that of a Node.js that idles.',
  async run() {
    const home = mkdtempSync(join(tmpdir(), 'aegis-bench-'))
    const env = { ...process.env, AEGIS_HOME: home, AEGIS_LOG_LEVEL: 'error' }
    const daemon = spawn(process.execPath, [entry, '--daemon', '--port', '0'], {
      env,
      stdio: 'ignore',
    })
    const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
    try {
      while ((await findDaemon(home)).state !== 'running') await delay(50)
      await delay(5000)
      const daemonMiB = pssMiB(daemon.pid ?? 0)
      const bareMiB = pssMiB(bare.pid ?? 0)
      return [
        { name: 'daemon', value: `${daemonMiB.toFixed(0)} MiB`, ratio: daemonMiB / bareMiB },
        { name: 'node that idles', value: `${bareMiB.toFixed(0)} MiB` },
      ]
    } finally {
      bare.kill()
      daemon.kill()
      await once(daemon, 'exit')
      rmSync(home, { recursive: true, force: true })
    }
  },
}
