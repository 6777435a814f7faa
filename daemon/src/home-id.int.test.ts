import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { homeAt } from './home.ts'
import { homeIdOf } from './home-id.ts'

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'aegis-home-'))
})
afterEach(() => rmSync(home, { recursive: true }))

it('is the same at every start', async () => {
  const first = await homeIdOf(home)
  expect(await homeIdOf(home)).toBe(first)
  expect(readdirSync(home)).toEqual(['node-id'])
})

it('is one for all that ask at once', async () => {
  const ids = await Promise.all(Array.from({ length: 8 }, () => homeIdOf(home)))
  expect(new Set([...ids, await homeIdOf(home)]).size).toBe(1)
})

it('is made anew where a crash left a file without one', async () => {
  writeFileSync(homeAt(home).nodeId, '\n')
  expect(await homeIdOf(home)).toBe(await homeIdOf(home))
})

it('can be asked for before there is a home', async () => {
  expect(await homeIdOf(join(home, 'nowhere'))).toMatch(/^[0-9a-f-]{36}$/)
})
