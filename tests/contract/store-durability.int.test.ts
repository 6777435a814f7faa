import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { openSqliteStore } from '@aegis/storage'
import { expect, it } from 'vitest'
import { anExecutionId, executionStream } from './store-events.ts'

const kills = 24
const writer = fileURLToPath(new URL('./store-writer.ts', import.meta.url))

it('keeps every acknowledged append through kill -9, whenever it comes', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-durability-'))
  const path = join(directory, 'aegis.db')
  try {
    const acknowledged = new Map<number, number>()
    for (let round = 0; round < kills; round += 1) {
      // Some die while they open and migrate, most in the middle of their writes.
      const lines = round % 6 === 0 ? round % 4 : Math.ceil(Math.random() * 400)
      await runAndKill(path, round, lines, (number, version) => acknowledged.set(number, version))
      await checkStore(path, acknowledged)
    }
    expect(acknowledged.size).toBeGreaterThan(kills)
  } finally {
    await rm(directory, { recursive: true })
  }
}, 120_000)

/** Kills the writer as soon as it has printed `lines` lines, and reads what it still had said. */
async function runAndKill(
  path: string,
  round: number,
  lines: number,
  onAcknowledged: (number: number, version: number) => void,
): Promise<void> {
  const child = spawn(process.execPath, [writer, path, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    if (seen === lines) child.kill('SIGKILL')
    seen += 1
    const [number, version] = line.split(' ').map(Number)
    if (number !== undefined && version !== undefined) onAcknowledged(number, version)
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
}

async function checkStore(path: string, acknowledged: ReadonlyMap<number, number>): Promise<void> {
  {
    await using store = await openSqliteStore({ path })
    for (const [number, version] of acknowledged) {
      const events = await store.events.read(executionStream(anExecutionId(number)))
      expect(events.length).toBeGreaterThanOrEqual(version)
      expect(events.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1))
      expect(await store.executions.byId(anExecutionId(number))).toBeDefined()
    }
  }
  const database = new DatabaseSync(path, { readOnly: true })
  expect({ ...database.prepare('pragma integrity_check').get() }).toEqual({ integrity_check: 'ok' })
  database.close()
}
