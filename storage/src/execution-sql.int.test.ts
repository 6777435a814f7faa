import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import {
  countsSql,
  pendingSql,
  runningSql,
  shownStatusSql,
  statusFilterSql,
  waitingSql,
} from './execution-sql.ts'
import { migrate } from './migrations.ts'
import { makeQueryDatabase } from './query-database.ts'

const database = new DatabaseSync(':memory:')
await migrate(makeQueryDatabase(database), ':memory:')

const plan = (sql: string): string[] =>
  database
    .prepare(`explain query plan ${sql}`)
    .all()
    .map(({ detail }) => String(detail))

/** How the executions themselves are reached. */
const access = (sql: string): string | undefined =>
  plan(sql).find((step) => / executions\b/.test(step))

const list = (where: string): string =>
  `select *, ${shownStatusSql} from executions where ${where} order by position desc limit 50`

it('the queue is read in the order of its index', () => {
  expect(access(waitingSql)).toBe('SCAN executions USING INDEX executions_waiting')
})

it('lists are read in the order of an index', () => {
  const byStatus = 'SEARCH executions USING INDEX executions_by_status (status=?)'
  expect(access(runningSql)).toBe(byStatus)
  for (const filter of Object.values(statusFilterSql)) expect(access(list(filter))).toBe(byStatus)
  const byAgent = 'SEARCH executions USING INDEX executions_by_agent (agent_id=?)'
  expect(access(list(`agent_id = 'a'`))).toBe(byAgent)
})

it('counting reads indexes only', () => {
  expect(access(countsSql)).toBe('SCAN executions USING COVERING INDEX executions_by_status')
  expect(access(pendingSql)).toBe('SCAN executions USING COVERING INDEX executions_waiting')
})

it('nothing is sorted or put into a temporary table', () => {
  const lists = ['true', `agent_id = 'a'`, ...Object.values(statusFilterSql)].map(list)
  for (const sql of [waitingSql, runningSql, countsSql, pendingSql, ...lists]) {
    expect(plan(sql).join()).not.toMatch(/TEMP B-TREE|MATERIALIZE/)
  }
})
