import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aManifest } from '@aegis/core/testing'
import { openSqliteStore } from '@aegis/storage'
import { type Benchmark, ms } from '../measure.ts'
import { openNoopNode } from '../noop-node.ts'

/** Queues that many executions at once and resolves when the last has ended; milliseconds. */
async function drain(count: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'aegis-bench-'))
  try {
    await using store = await openSqliteStore({ path: join(directory, 'aegis.db') })
    await using node = await openNoopNode(store)
    await node.controlPlane.agents.deploy(aManifest('noop'))
    const start = performance.now()
    const ended = node.whenEnded(count)
    // As many clients as a busy API has, each waiting for its acknowledgement.
    const clients = Array.from({ length: 64 }, async (_, client) => {
      for (let n = client; n < count; n += 64) await node.controlPlane.executions.execute('noop', n)
    })
    await Promise.all([...clients, ended])
    return performance.now() - start
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

export const benchmark: Benchmark = {
  title: 'Executions through the whole durable path',
  about:
    'Queue, schedule, run and complete executions on a runtime that does nothing; SQLite, every event durable before it is acknowledged. The ratio is the time of one execution over that at 100 queued.',
  async run() {
    await drain(100)
    const perExecution = new Map<number, number>()
    for (const count of [10, 100, 1000, 10_000]) {
      perExecution.set(count, (await drain(count)) / count)
    }
    const reference = perExecution.get(100) ?? Number.NaN
    return [...perExecution].map(([count, each]) => {
      const perSecond = 1000 / each
      const figure = {
        name: `${count.toLocaleString('en')} queued: ${Math.round(perSecond)} executions/s`,
        value: ms(each),
        ratio: each / reference,
      }
      return count < 100 ? figure : { ...figure, goal: '≥ 1,000/s', met: perSecond >= 1000 }
    })
  },
}
