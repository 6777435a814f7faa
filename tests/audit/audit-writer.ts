// A process that does nothing but append, with checkpoints, and says what was acknowledged. It is
// there to be killed: see audit-durability.int.test.ts.
import { writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { openAuditNotary } from '@aegis/security'
import { openSqliteStore } from '@aegis/storage'
import { silent } from '../contract/control-plane-host.ts'
import {
  anAgentId,
  anExecutionId,
  executionStream,
  queued,
  started,
} from '../contract/store-events.ts'
import { anEntry } from './audit-home.ts'

const [, , path = '', keys = '', round = '0'] = process.argv
const writers = 8

/** Synchronous, so that a kill cannot come between the acknowledgement and its report. */
const say = (line: string) => writeSync(1, `${line}\n`)

const store = await openSqliteStore({ path })
const notary = await openAuditNotary({
  store: store.audit,
  directory: keys,
  origin: undefined,
  fallbackOrigin: 'aegis/test',
  clock: { now: () => new Date().toISOString(), monotonicMs: () => 0, sleep: async () => {} },
  logger: silent,
})
say('open')

const entries = Array.from({ length: writers }, async (_, writer) => {
  for (let count = 0; ; count += 1) {
    const number = (Number(round) * writers + writer) * 100_000 + count
    await store.audit.record([anEntry(number)])
    say(`entry ${number}`)
  }
})
const events = Array.from({ length: writers }, async (_, writer) => {
  for (let count = 0; ; count += 1) {
    const number = (Number(round) * writers + writer) * 100_000 + count
    const stream = executionStream(anExecutionId(number))
    await store.events.append({
      stream,
      expectedVersion: 0,
      events: [queued(anAgentId(1)), started],
    })
    say(`execution ${anExecutionId(number)}`)
    // Beside those that succeed, one that does not, in the same commit.
    await store.events
      .append({ stream, expectedVersion: 0, events: [started] })
      .catch(() => undefined)
  }
})
// One that asks for checkpoints all the time, so that a kill meets every step of signing.
const checkpoints = (async () => {
  while (true) {
    say(`signed ${(await notary.checkpoint()).size}`)
    await setTimeout(3)
  }
})()
await Promise.all([...entries, ...events, checkpoints])
