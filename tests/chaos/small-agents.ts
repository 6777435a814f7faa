import type { AgentManifest } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'

/** An agent with the output that its every execution must have. */
export interface SmallAgent {
  readonly manifest: AgentManifest
  outputFor(input: string): string
}

const resources = { cpu: 1000, memory: '128Mi', disk: '16Mi', timeout: '120s' } as const

/** Ends before anybody has fed it. */
const blunt: SmallAgent = {
  manifest: aManifest('blunt', { task: { command: ['/bin/echo', 'done'] }, resources }),
  outputFor: () => 'done\n',
}

const sleeper: SmallAgent = {
  manifest: aManifest('sleeper', {
    task: { command: ['/bin/sh', '-c', 'sleep 0.3; cat'] },
    resources,
  }),
  outputFor: (input) => input,
}

/** Fails its first iteration, and would go on however many of the others were lost. */
const stubborn: SmallAgent = {
  manifest: aManifest('stubborn', {
    task: { command: ['/bin/sh', '-c', 'test "$AEGIS_ITERATION" -ge 2 && cat'] },
    execution: { mode: 'iterative', max_retries: 3 },
    resources,
  }),
  outputFor: (input) => input,
}

/** Has a workspace that lies on the host, and prints what it finds there. */
const reader: SmallAgent = {
  manifest: aManifest('reader', {
    task: { command: ['/bin/cat', '/workspace/page.txt', '-'] },
    context: [{ type: 'text', path: 'page.txt', content: 'page, ', encoding: 'utf-8' }],
    filesystem: { read_only: true },
    resources,
  }),
  outputFor: (input) => `page, ${input}`,
}

const askingProgram = `
import { text } from 'node:stream/consumers'
const answer = await fetch(process.env.AEGIS_ORCHESTRATOR_URL + '/api/llm/generate', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ prompt: 'Repeat the input back verbatim. Input: ' + (await text(process.stdin)) }),
})
process.stdout.write((await answer.json()).content)
`

/** A program of its own that asks a language model. */
const asker: SmallAgent = {
  manifest: aManifest('asker', {
    task: { command: ['node', '/workspace/ask.mjs'] },
    context: [{ type: 'text', path: 'ask.mjs', content: askingProgram, encoding: 'utf-8' }],
    resources,
  }),
  outputFor: (input) => input,
}

/** Agents of each kind that fare differently when something dies under them. */
export const smallAgents: readonly SmallAgent[] = [blunt, sleeper, stubborn, reader, asker]

/** The agent that runs `script` in a shell. */
export const shellAgent = (
  name: string,
  script: string,
  changes: Parameters<typeof aManifest>[1] = {},
): AgentManifest =>
  aManifest(name, { task: { command: ['/bin/sh', '-c', script] }, resources, ...changes })
