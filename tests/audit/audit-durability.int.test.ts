import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openCheckpoint, readEntry } from '@aegis/core/audit'
import { auditCrypto } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { expect, it } from 'vitest'
import { makeSeededRandom } from '../chaos/seeded-random.ts'
import { type AuditHome, makeAuditHome } from './audit-home.ts'

const kills = 12
const writer = fileURLToPath(new URL('./audit-writer.ts', import.meta.url))

it('keeps every acknowledged entry through kill -9, and never forks the tree', async () => {
  const random = makeSeededRandom()
  await using home = await makeAuditHome()
  const acknowledged = new Set<string>()
  let signed = 0
  for (let round = 0; round < kills; round += 1) {
    const lines = round === 0 ? 1 : 1 + random.below(1500)
    await runAndKill(home, round, lines, (line) => {
      if (line.startsWith('signed ')) signed = Math.max(signed, Number(line.slice(7)))
      else acknowledged.add(line)
    })
    await checkLog(home, acknowledged, signed)
  }
  expect(acknowledged.size).toBeGreaterThan(kills)
  expect(signed).toBeGreaterThan(0)
}, 240_000)

/** Kills the writer as soon as it has printed `lines` lines, and reads what it still had said. */
async function runAndKill(
  { database, keys }: AuditHome,
  round: number,
  lines: number,
  onLine: (line: string) => void,
): Promise<void> {
  const child = spawn(process.execPath, [writer, database, keys, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    if (seen === lines) child.kill('SIGKILL')
    seen += 1
    if (line !== 'open') onLine(line)
  }
  expect(await exited).toEqual([null, 'SIGKILL'])
}

async function checkLog(
  home: AuditHome,
  acknowledged: ReadonlySet<string>,
  signed: number,
): Promise<void> {
  const report = await home.verify()
  expect(report.findings).toEqual([])
  expect(report.size).toBeGreaterThanOrEqual(signed)
  // Whatever was signed before still holds: a node may go on, and its next checkpoint is consistent.
  const copy = await readFile(join(home.keys, 'audit.checkpoint'), 'utf8')
  const { size } = openCheckpoint(copy, await home.key(), auditCrypto.verify)
  expect(size).toBeLessThanOrEqual(report.size)
  await home.run(async (_, log) => log.checkpoint())
  const kept = new Set<string>()
  await using store = await openSqliteStore({ path: home.database })
  for (let from = 0; from < report.size; from += 1000) {
    for (const { body, keys } of await store.audit.entries(from, 1000)) {
      if (keys.type === 'execution.queued') kept.add(`execution ${keys.executionId}`)
      else kept.add(`entry ${Number(String(readEntry(body)?.data.entry).slice('entry-'.length))}`)
    }
  }
  for (const one of acknowledged) expect([one, kept.has(one)]).toEqual([one, true])
}
