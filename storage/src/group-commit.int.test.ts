import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { makeGroupCommit } from './group-commit.ts'

/** A table of one column, and a record of what each commit stored. */
function given() {
  const database = new DatabaseSync(':memory:')
  database.exec('create table words (word text unique)')
  const insert = database.prepare('insert into words (word) values (?)')
  const commits: (readonly string[])[] = []
  const group = makeGroupCommit<string>(database, { committed: (words) => commits.push(words) })
  const store = (word: string) => () => {
    insert.run(word)
    return word
  }
  const words = () =>
    database
      .prepare('select word from words')
      .all()
      .map(({ word }) => word)
  return { database, group, commits, store, words }
}

it('stores in one commit what is asked for in one turn', async () => {
  const { group, commits, store } = given()
  const words = Array.from({ length: 64 }, (_, number) => `word ${number}`)
  const results = await Promise.all(words.map((word) => group.submit(store(word))))
  expect(results).toEqual(words)
  expect(commits).toEqual([words])
})

it('stores in several commits what would keep the event loop for long', async () => {
  const { group, commits, store } = given()
  const words = Array.from({ length: 1100 }, (_, number) => `word ${number}`)
  await Promise.all(words.map((word) => group.submit(store(word))))
  expect(commits.map((each) => each.length)).toEqual([512, 512, 76])
  expect(commits.flat()).toEqual(words)
})

it('undoes work that throws, whole and alone', async () => {
  const { group, store, words } = given()
  const half = () => {
    store('half')()
    throw new Error('no further')
  }
  const outcomes = await Promise.allSettled([
    group.submit(store('before')),
    group.submit(half),
    group.submit(store('after')),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(words()).toEqual(['before', 'after'])
})

it('rejects all of a group, and tells of nothing, when the commit fails', async () => {
  const { database, group, commits, store, words } = given()
  database.exec('create table parent (id integer primary key)')
  // A deferred constraint is what makes a commit itself fail.
  database.exec('create table child (id references parent deferrable initially deferred)')
  const orphan = () => {
    database.exec('insert into child values (1)')
    return 'orphan'
  }
  const outcomes = await Promise.allSettled([group.submit(store('word')), group.submit(orphan)])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(commits).toEqual([])
  expect(words()).toEqual([])
  expect(await group.submit(store('next'))).toBe('next')
})

it('rejects all of a group when SQLite rolls it back on its own', async () => {
  const { database, group, store, words } = given()
  const abandon = () => {
    database.exec('rollback')
    throw new Error('the disk is full')
  }
  const outcomes = await Promise.allSettled([
    group.submit(store('before')),
    group.submit(abandon),
    group.submit(store('after')),
  ])
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'the disk is full' } })
  }
  expect(words()).toEqual([])
  expect(await group.submit(store('next'))).toBe('next')
})

it('commits at once what waits when it is flushed', async () => {
  const { group, store, words } = given()
  const waiting = group.submit(store('word'))
  group.flush()
  expect(words()).toEqual(['word'])
  await waiting
})
