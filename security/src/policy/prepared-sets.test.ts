import { expect, it } from 'vitest'
import type { CompiledPolicy } from './compiled-policy.ts'
import { makePreparedSets, type Question } from './prepared-sets.ts'

const question: Question = {
  principal: { type: 'Agent', id: 'a' },
  action: 'tool.invoke',
  resource: { type: 'Tool', id: 't' },
  context: {},
  entities: [],
}

const policy = (id: string, text = 'permit (principal, action, resource);'): CompiledPolicy => ({
  id,
  effect: 'permit',
  actions: ['tool.invoke'],
  source: 'test',
  text,
  json: {
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [],
  },
})

it('answers each key from its own policies, also when more are asked than are kept', () => {
  using sets = makePreparedSets(3)
  const ids = ['a', 'b', 'c', 'd', 'e', 'a', 'c', 'f', 'a', 'b', 'b', 'g', 'e', 'a']
  for (const id of ids) expect(sets.ask(id, [policy(id)], question).permits).toEqual([id])
})

it('mixes no sets up after one could not be parsed', () => {
  using sets = makePreparedSets(3)
  const broken = () => sets.ask('broken', [policy('broken', 'permit (')], question)
  const known = ['a', 'b', 'c', 'd', 'e', 'f']
  for (const id of known) {
    expect(broken).toThrow()
    expect(sets.ask(id, [policy(id)], question).permits).toEqual([id])
    expect(broken).toThrow()
    for (const other of known) {
      expect(sets.ask(other, [policy(other)], question).permits).toEqual([other])
    }
  }
})

it('keeps apart what two of them hold', () => {
  using one = makePreparedSets(2)
  using other = makePreparedSets(2)
  expect(one.ask('k', [policy('one')], question).permits).toEqual(['one'])
  expect(other.ask('k', [policy('other')], question).permits).toEqual(['other'])
  expect(one.ask('k', [policy('one')], question).permits).toEqual(['one'])
})
