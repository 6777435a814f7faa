import { join } from 'node:path'
import { expect } from 'vitest'
import { type AegisCommand, demoAgent, type Ran } from './aegis-command.ts'

/** Runs a command that must succeed, and gives its stdout. */
export async function ok(
  aegis: Pick<AegisCommand, 'run'>,
  ...args: readonly string[]
): Promise<string> {
  const { code, stdout, stderr } = await aegis.run(...args)
  expect(code, `aegis ${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
  return stdout
}

/** The same with `--json`, parsed. */
export async function json<Value>(
  aegis: Pick<AegisCommand, 'run'>,
  ...args: readonly string[]
): Promise<Value> {
  return JSON.parse(await ok(aegis, '--json', ...args))
}

export async function fails(
  aegis: AegisCommand,
  code: number,
  message: RegExp,
  ...args: readonly string[]
): Promise<Ran> {
  const ran = await aegis.run(...args)
  expect(ran, `aegis ${args.join(' ')}`).toMatchObject({ code, stdout: '' })
  expect(ran.stderr).toMatch(message)
  return ran
}

export interface AgentLine {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly revision: number
}

export interface TaskLine {
  readonly id: string
  readonly agent_name: string
  readonly status: string
}

/** An agent that runs a program of ours in place of asking a model. */
export async function writeAgent(
  aegis: AegisCommand,
  name: string,
  program: string,
  more = '',
): Promise<string> {
  await aegis.write(`${name}/main.mjs`, program)
  return aegis.write(
    `${name}/agent.yaml`,
    `apiVersion: 100monkeys.ai/v1
kind: AgentManifest
metadata: {name: ${name}, version: 1.0.0}
spec:
  runtime: {language: javascript, version: "24"}
  task: {command: [node, /workspace/main.mjs]}
  context: [{type: file, path: main.mjs}]
  execution: {mode: one-shot, max_retries: 1}
  security:
    resources: {cpu: 250, memory: 128Mi, disk: 16Mi, timeout: 60s}
${more}`,
  )
}

export const deployDemo = (aegis: AegisCommand, name: string): Promise<string> =>
  ok(aegis, 'agent', 'deploy', demoAgent(name))

export const inFolder = (aegis: AegisCommand, path: string): string => join(aegis.folder, path)
