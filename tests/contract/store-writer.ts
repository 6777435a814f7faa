// A process that does nothing but append, and says what was acknowledged. It is there to be killed:
// see store-durability.int.test.ts.
import { writeSync } from 'node:fs'
import { openSqliteStore } from '@aegis/storage'
import { anAgentId, anExecutionId, executionStream, printed, queued } from './store-events.ts'

const [, , path = '', round = '0'] = process.argv
const writers = 16

/** Synchronous, so that a kill cannot come between the acknowledgement and its report. */
const say = (line: string) => writeSync(1, `${line}\n`)

say('opening')
const store = await openSqliteStore({ path })
say('open')

await Promise.all(
  Array.from({ length: writers }, async (_, writer) => {
    const number = Number(round) * writers + writer
    const stream = executionStream(anExecutionId(number))
    let version = 0
    while (true) {
      const length = 1 + ((version * 977 + writer * 131) % 3000)
      const event = version === 0 ? queued(anAgentId(1)) : printed('x'.repeat(length))
      await store.events.append({ stream, expectedVersion: version, events: [event] })
      version += 1
      say(`${number} ${version}`)
    }
  }),
)
