import { agentActions, apiActions, lifecycleActions } from '@aegis/core'
import { policySchema, readOperatorPolicies } from '@aegis/security'
import { describe, expect, it } from 'vitest'
import { fencedBlocks, readPage, readPages } from './documents.ts'

const blocks = readPages().flatMap((page) =>
  fencedBlocks(page)
    .filter(({ info }) => info === 'cedar')
    .map(({ line, text }) => ({ place: `${page.path}:${line}`, text })),
)

describe('policies in the documentation', () => {
  it.each(blocks)('at $place hold in the vocabulary', ({ place, text }) => {
    const { policies, problems, warnings } = readOperatorPolicies([{ name: place, text }])
    expect([...problems, ...warnings]).toEqual([])
    expect(policies.length).toBeGreaterThan(0)
  })
})

it('has one vocabulary: the schema, the code and the page name the same actions', () => {
  const code = policySchema.replaceAll(/\/\/.*/g, '')
  const named = [...code.matchAll(/"([a-z]+\.[a-z.]+)"/g)].map(([, action]) => action)
  const known = [...agentActions, ...lifecycleActions, ...apiActions]
  expect(new Set(named)).toEqual(new Set(known))
  const { text } = readPage('docs/policies.md')
  for (const action of [...agentActions, ...lifecycleActions])
    expect(text).toContain(`\`${action}\``)
})
