import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiActions } from '../policy/policy-action.ts'
import type { Actor } from './actor.ts'
import { coversActor, requireAgent, requirePermission } from './permit.ts'
import { roles } from './role.ts'

const scope = fc.record(
  {
    actions: fc.uniqueArray(fc.constantFrom(...apiActions, 'api.task.*', 'api.*'), {
      minLength: 1,
    }),
    agents: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
  },
  { requiredKeys: [] },
)
const actor: fc.Arbitrary<Actor> = fc.record({
  name: fc.constant('somebody'),
  role: fc.constantFrom(...roles),
  scope: fc.option(scope, { nil: undefined }),
})

const may = (one: Actor, action: (typeof apiActions)[number], agent: string): boolean => {
  try {
    requirePermission(one, action)
    requireAgent(one, action, agent)
    return true
  } catch {
    return false
  }
}

describe('what a token may give away', () => {
  it('is never more than it has', () => {
    fc.assert(
      fc.property(
        actor,
        actor,
        fc.constantFrom(...apiActions),
        fc.constantFrom('a', 'b', 'c', 'd'),
        (giver, given, action, agent) => {
          if (!coversActor(giver, given) || !may(given, action, agent)) return
          expect(may(giver, action, agent)).toBe(true)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('may be all of it', () => {
    fc.assert(fc.property(actor, (one) => coversActor(one, one)))
  })
})

describe('a refusal', () => {
  it('names the action, the role, and what to do', () => {
    const viewer: Actor = { name: 'ci', role: 'viewer' }
    expect(() => requirePermission(viewer, 'api.image.write')).toThrow(
      '"ci" has the role viewer, which does not permit api.image.write. Use a token with the role operator, or ask an admin for one: aegis token create <name> --role operator',
    )
  })
})
