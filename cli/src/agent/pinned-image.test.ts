import type { AgentId, AgentManifest, AgentSummary, DeployOptions } from '@aegis/core'
import { formatManifest, parseManifest } from '@aegis/core'
import { describe, expect, it } from 'vitest'
import { aProgress } from '../testing/an-image.ts'
import { fakeContext } from '../testing/fake-context.ts'
import { deployShown } from './deploy-shown.ts'
import { listAgents } from './list-agents.ts'
import { showAgent } from './show-agent.ts'

const manifest: AgentManifest = parseManifest(`
apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata:
  name: echo
  version: 1.0.0
spec:
  runtime:
    language: python
    version: "3.11"
    isolation: docker
  task:
    command: [python3, -c, print(1)]
`)
const image = {
  reference: 'python:3.11',
  id: `sha256:${'a'.repeat(64)}`,
  digest: `python@sha256:${'b'.repeat(64)}`,
}
const summary = {
  id: 'a1' as AgentId,
  name: 'echo',
  version: '1.0.0',
  description: '',
  status: 'active',
  labels: {},
  revision: 2,
  createdAt: '2026-11-22T15:00:00.000Z',
  updatedAt: '2026-11-22T15:00:00.000Z',
  executionCount: 0,
  image,
} satisfies AgentSummary

describe('the image of an agent', () => {
  const agents = { manifest: async () => manifest, find: async () => summary }

  it('stands as a comment above a manifest that can be deployed again', async () => {
    const { context, terminal } = fakeContext({ agents })
    await showAgent(context, ['echo'], {})
    const [comment, ...rest] = terminal.stdout().split('\n')
    expect(comment).toBe(`# Image of revision 2: python:3.11 (python@sha256:${'b'.repeat(64)})`)
    expect(rest.join('\n')).toBe(formatManifest(manifest))
    expect(parseManifest(terminal.stdout())).toEqual(manifest)
  })

  it('is not told of an earlier revision, nor in the JSON of the manifest', async () => {
    const { context, terminal } = fakeContext({ agents })
    await showAgent(context, ['echo'], { revision: 1 })
    expect(terminal.stdout()).toBe(formatManifest(manifest))
    const json = fakeContext({ agents }, { json: true })
    await showAgent(json.context, ['echo'], {})
    expect(JSON.parse(json.terminal.stdout())).toEqual(JSON.parse(JSON.stringify(manifest)))
  })

  it('has a column in the list where an agent has one', async () => {
    const listed = async (all: readonly AgentSummary[]) => {
      const { context, terminal } = fakeContext({ agents: { list: async () => all } })
      await listAgents(context, [], {})
      return terminal.stdout()
    }
    expect(await listed([summary])).toMatch(/IMAGE.*\n.*python:3\.11 \(aaaaaaaaaaaa\)/)
    expect(await listed([{ ...summary, image: undefined }])).not.toContain('IMAGE')
  })
})

describe('a deploy that fetches an image', () => {
  it('tells how far it is', async () => {
    const { context, terminal } = fakeContext({})
    const deploy = async (_: AgentManifest, options: DeployOptions = {}) => {
      options.onProgress?.(aProgress())
      return { id: summary.id, revision: 1, changed: true, image, warnings: [] }
    }
    const result = await deployShown(context, { deploy }, manifest, { replace: false })
    expect(result).toMatchObject({ image })
    expect(terminal.stderr()).toContain('pulling python:3.11: 1 of 3 layers')
  })

  it('is given up with Ctrl-C', async () => {
    const { context, keyboard } = fakeContext({})
    const deploy = (_: AgentManifest, { signal }: DeployOptions = {}) =>
      new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    const result = deployShown(context, { deploy }, manifest, { replace: false })
    keyboard.pressCtrlC()
    expect(await result).toBe('interrupted')
  })
})
