import type { AgentManifest } from '@aegis/core'
import { aManifest } from '@aegis/core/testing'

type Changes = NonNullable<Parameters<typeof aManifest>[1]>

/** Something small for an agent to do. */
export interface Work {
  readonly name: string
  /** Absent: the bootstrap script asks the model. */
  readonly argv?: readonly [string, ...string[]]
  readonly language: 'python' | 'javascript'
}

/** What an agent written in a script language costs at least, and what costs nearly nothing. */
export const commands = [
  { name: 'node -e', language: 'javascript', argv: ['node', '-e', 'console.log(1)'] },
  { name: 'python3 -c', language: 'python', argv: ['/usr/bin/python3', '-c', 'print(1)'] },
  { name: '/bin/echo', language: 'python', argv: ['/bin/echo', '1'] },
] as const satisfies readonly Work[]

/** Agents whose program can start before their task. */
export const bootstraps = [
  { name: 'python agent', language: 'python' },
  { name: 'javascript agent', language: 'javascript' },
] as const satisfies readonly Work[]

/** What the scripted model gives back as it is. */
export const prompt = 'Repeat the input back verbatim. Input: Hello'

export interface AgentOptions {
  readonly isolation: 'process' | 'docker'
  readonly sandbox?: 'default' | 'gvisor'
  /** Sandboxes that wait for a task. */
  readonly warm?: number
}

/** The images of both languages are those that tests have. */
export function benchAgent(
  name: string,
  { argv, language }: Work,
  { isolation, sandbox = 'default', warm = 0 }: AgentOptions,
): AgentManifest {
  const version = language === 'python' ? '3.11' : '18'
  const changes: Changes = {
    runtime: { language, version, isolation, sandbox },
    resources: { memory: '256Mi', cpu: 1000 },
    advanced: { warm_pool_size: warm },
  }
  return aManifest(
    name,
    argv === undefined ? changes : { ...changes, task: { command: [...argv] } },
  )
}
