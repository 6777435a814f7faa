import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiActions } from '../policy/policy-action.ts'
import { scopePermits, scopeSchema } from './scope.ts'

const permitted = (...actions: string[]) =>
  apiActions.filter((action) => scopePermits({ actions }, action))

describe('a scope', () => {
  it('permits the actions that it names, and all of a kind by a star', () => {
    expect(permitted('api.task.read')).toEqual(['api.task.read'])
    expect(permitted('api.task.*')).toEqual([
      'api.task.read',
      'api.task.execute',
      'api.task.cancel',
      'api.task.remove',
    ])
    expect(permitted('api.*')).toEqual(apiActions)
  })

  it('narrows nothing by what it does not say', () => {
    for (const action of apiActions) {
      expect(scopePermits(undefined, action)).toBe(true)
      expect(scopePermits({ agents: ['echo'] }, action)).toBe(true)
    }
  })

  it.each([
    '',
    '*',
    '.*',
    'api',
    'api.',
    'api.t*',
    'api.task',
    'api.task.',
    'task.*',
    'api.task.*.*',
    'API.*',
    'api.fly.*',
    ' api.*',
  ])('is refused with %j, which means no action', (pattern) => {
    expect(scopeSchema.safeParse({ actions: [pattern] }).success).toBe(false)
    expect(permitted(pattern)).toEqual([])
  })

  it.each([
    { actions: [] },
    { agents: [] },
    { agents: ['*'] },
    { agents: ['Echo'] },
    { agent: ['echo'] },
    { actions: Array.from({ length: 51 }, () => 'api.*') },
  ])('is refused as %o', (scope) => {
    expect(scopeSchema.safeParse(scope).success).toBe(false)
  })

  it('never permits more for having a pattern less', () => {
    const pattern = fc.oneof(
      fc.constantFrom(...apiActions, 'api.*', 'api.task.*', 'api.agent.*'),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(pattern), fc.constantFrom(...apiActions), (actions, action) => {
        if (!scopePermits({ actions }, action)) return
        expect(scopePermits({ actions: [...actions, 'x'] }, action)).toBe(true)
        expect(actions.some((one) => scopePermits({ actions: [one] }, action))).toBe(true)
      }),
    )
  })
})
