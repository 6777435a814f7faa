import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AegisError } from '@aegis/core'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { translateSqliteError, translating } from './sqlite-error.ts'

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'aegis-error-')), 'aegis.db')
})
afterEach(() => rmSync(join(path, '..'), { recursive: true }))

/** What the user is told of a real failure of SQLite. */
function told(work: (database: DatabaseSync) => void, readOnly = false): unknown {
  using database = new DatabaseSync(path, { readOnly })
  try {
    work(database)
  } catch (error) {
    return translateSqliteError(error, path)
  }
  throw new Error('it did not fail')
}

it('calls a full disk exhausted, and says what frees space', () => {
  const error = told((database) => {
    database.exec('pragma max_page_count = 4; create table words (word text)')
    database.exec(`insert into words values ('${'x'.repeat(100_000)}')`)
  })
  expect(error).toMatchObject({ kind: 'exhausted', code: 'store.full' })
  expect(error).toHaveProperty('message', expect.stringContaining('aegis task remove'))
})

it('calls a file that may not be written unwritable', () => {
  new DatabaseSync(path).close()
  const error = told((database) => database.exec('create table words (word text)'), true)
  expect(error).toMatchObject({ kind: 'unavailable', code: 'store.unwritable' })
})

it('calls a file that is no database corrupt', () => {
  writeFileSync(path, 'Dear diary, '.repeat(1000))
  const error = told((database) => database.exec('select * from sqlite_schema'))
  expect(error).toMatchObject({ kind: 'unavailable', code: 'store.corrupt' })
})

it('calls a lock of somebody else a conflict', () => {
  using owner = new DatabaseSync(path)
  owner.exec('begin exclusive')
  const error = told((database) => database.exec('begin exclusive'))
  expect(error).toMatchObject({ kind: 'conflict', code: 'home.locked' })
})

it('calls a database that is closed already a store that is closed', () => {
  const error = told((database) => {
    database.close()
    database.exec('select 1')
  })
  expect(error).toMatchObject({ kind: 'unavailable', code: 'store.closed' })
})

it('keeps the cause, and what SQLite said, for the log', () => {
  writeFileSync(path, 'Dear diary, '.repeat(1000))
  const error = told((database) => database.exec('select * from sqlite_schema'))
  expect(error).toHaveProperty('cause', expect.objectContaining({ errcode: 26 }))
  expect(error).toHaveProperty('details.sqlite', 'file is not a database')
})

it('leaves bugs and our own errors as they are', () => {
  const bug = new TypeError('x is not a function')
  const own = new AegisError('conflict', 'store.version', 'Somebody was first')
  const misspelt = told((database) => database.exec('selct 1'))
  expect(translateSqliteError(bug, path)).toBe(bug)
  expect(translateSqliteError(own, path)).toBe(own)
  expect(misspelt).not.toBeInstanceOf(AegisError)
  const failing = () => {
    throw bug
  }
  expect(() => translating(path, failing)).toThrow(bug)
})
