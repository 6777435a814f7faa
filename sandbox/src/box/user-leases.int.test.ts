import { expect, it } from 'vitest'
import { claimUsers } from './user-leases.ts'

const range = { first: 1_999_000_000, count: 32 }

it('never hands out a uid twice at a time, and takes it back', async () => {
  await using users = await claimUsers(range, 16)
  const leases = Array.from({ length: 16 }, () => users.take())
  expect(new Set(leases.map(({ uid }) => uid)).size).toBe(16)
  expect(() => users.take()).toThrow('all are in use')
  leases[3]?.[Symbol.dispose]()
  expect(users.take().uid).toBe(leases[3]?.uid)
})

it('gives two daemons different blocks, and a third none until one is gone', async () => {
  const one = await claimUsers(range, 16)
  await using two = await claimUsers(range, 16)
  expect(one.first).not.toBe(two.first)
  await expect(claimUsers(range, 16)).rejects.toMatchObject({ kind: 'exhausted' })
  await one[Symbol.asyncDispose]()
  await using three = await claimUsers(range, 16)
  expect(three.first).toBe(one.first)
})

it('makes do with a range smaller than a block', async () => {
  await using users = await claimUsers({ first: 1_999_100_000, count: 2 })
  expect(new Set([users.take().uid, users.take().uid])).toEqual(
    new Set([1_999_100_000, 1_999_100_001]),
  )
})
