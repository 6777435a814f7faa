import { chmod, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentManifest } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'
import { shellAgent } from './small-agents.ts'

/** Holds agents back until it is opened, whatever happens to their sandboxes meanwhile. */
export interface Gate extends AsyncDisposable {
  /** A host path that the node config must let agents read. */
  readonly directory: string
  /** An agent that says `up`, waits for the gate, and prints its input. */
  waiter(name: string): AgentManifest
  /** The same, but it prints what a language model says to its input. */
  asker(name: string): AgentManifest
  open(): Promise<void>
}

export async function makeGate(): Promise<Gate> {
  // Not below /tmp: that of a sandbox is its own.
  const directory = await realpath(await mkdtemp('/var/tmp/aegis-gate-'))
  await chmod(directory, 0o755)
  const path = join(directory, 'open')
  const shared = {
    filesystem: { read: [directory] },
    resources: { cpu: 250, memory: '128Mi', disk: '16Mi', timeout: '120s' },
  } as const
  return {
    directory,
    waiter: (name) =>
      shellAgent(name, `echo up; until [ -e ${path} ]; do sleep 0.05; done; cat`, shared),
    asker: (name) =>
      aManifest(name, {
        task: { command: ['node', '/workspace/ask.mjs', path] },
        context: [{ type: 'text', path: 'ask.mjs', content: askingProgram, encoding: 'utf-8' }],
        ...shared,
      }),
    open: () => writeFile(path, ''),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

const askingProgram = `
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

process.stdout.write('up\\n')
while (!existsSync(process.argv[2])) await delay(50)
const answer = await fetch(process.env.AEGIS_ORCHESTRATOR_URL + '/api/llm/generate', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ prompt: 'Repeat the input back verbatim. Input: ' + (await text(process.stdin)) }),
})
if (!answer.ok) throw new Error(await answer.text())
process.stdout.write((await answer.json()).content)
`
