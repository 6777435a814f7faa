import { parseManifest, parseNodeConfig, parsePolicyCases } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { type FencedBlock, fencedBlocks, readPages } from './documents.ts'

interface Snippet extends FencedBlock {
  readonly place: string
}

const snippets: readonly Snippet[] = readPages().flatMap((page) =>
  fencedBlocks(page)
    .filter(({ info }) => info.startsWith('yaml'))
    .map((block) => ({ ...block, place: `${page.path}:${block.line}` })),
)

/** What the two kinds need besides the part that a snippet shows. */
const heads = {
  AgentManifest:
    'spec:\n  runtime: {language: javascript, version: "24"}\n  task: {command: [cat]}\n',
  NodeConfig: 'spec:\n  node: {id: my-node, type: edge}\n',
}

describe('a snippet', () => {
  it.each(snippets)('at $place says what it is, by its content or behind its fence', (snippet) => {
    expect(kindOf(snippet)).toBeDefined()
  })

  it.each(
    snippets.filter((one) => kindOf(one) === 'AgentManifest'),
  )('at $place is a manifest', (snippet) => {
    expect(parseManifest(whole(snippet, 'AgentManifest')).kind).toBe('AgentManifest')
  })

  it.each(
    snippets.filter((one) => kindOf(one) === 'NodeConfig'),
  )('at $place is a config', (snippet) => {
    expect(parseNodeConfig(whole(snippet, 'NodeConfig')).kind).toBe('NodeConfig')
  })
})

describe('a file of cases for policies', () => {
  it.each(snippets.filter((one) => kindOf(one) === 'cases'))('at $place can be read', ({
    text,
  }) => {
    expect(parsePolicyCases(text).length).toBeGreaterThan(0)
  })
})

function kindOf({ info, text }: FencedBlock): keyof typeof heads | 'rules' | 'cases' | undefined {
  if (/^kind: NodeConfig$/m.test(text) || info === 'yaml config') return 'NodeConfig'
  if (/^kind: Agent(Manifest)?$/m.test(text) || info === 'yaml manifest') return 'AgentManifest'
  if (/^cases:$/m.test(text)) return 'cases'
  return info === 'yaml rules' || /^(rules:|- match:)/m.test(text) ? 'rules' : undefined
}

/** A part begins with `spec:`, and gets what is missing around it. */
function whole({ text }: FencedBlock, kind: keyof typeof heads): string {
  if (text.includes('apiVersion:')) return text
  const part = text.replace(/^spec:\n/, '')
  return `apiVersion: 100monkeys.ai/v1\nkind: ${kind}\nmetadata: {name: a, version: "1"}\n${heads[kind]}${part}`
}
