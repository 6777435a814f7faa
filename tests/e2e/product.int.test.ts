import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoProcessHost } from '../contract/hosts/process-host.ts'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import {
  type AgentLine,
  deployDemo,
  fails,
  json,
  ok,
  type TaskLine,
  writeAgent,
} from './product-commands.ts'

const reason = await whyNoProcessHost()
/** Each test runs a dozen commands, each of which is a process. */
const timeout = 120_000
const nobody = '00000000-0000-4000-8000-000000000000'

// Every command of the product description, with a daemon and without one: the answers must not
// depend on which of the two gives them.
describe.each(['with a daemon', 'without a daemon'] as const)('%s', { timeout }, (mode) => {
  const isEmbedded = mode === 'without a daemon'
  let aegis: AegisCommand
  beforeAll(async () => {
    aegis = await openNodeCommand()
    if (isEmbedded || reason !== undefined) return
    await ok(aegis, 'daemon', 'start', '--log-level', 'debug', '--port', String(aegis.port))
  })
  afterAll(() => aegis[Symbol.asyncDispose]())

  const idOf = async (name: string): Promise<string> => {
    const agents = await json<readonly AgentLine[]>(aegis, 'agent', 'list')
    return agents.find((agent) => agent.name === name)?.id ?? 'not listed'
  }

  it('tells the next step where there is nothing yet', async (context) => {
    if (reason !== undefined) context.skip(reason)
    expect(await ok(aegis, 'agent', 'list')).toContain('Deploy one: aegis agent deploy')
    expect(await ok(aegis, 'task', 'list')).toContain('Run a task: aegis task execute')
    expect(await json(aegis, 'agent', 'list')).toEqual([])
  })

  it('deploys, lists and shows agents by name and by id', async (context) => {
    if (reason !== undefined) context.skip(reason)
    expect(await deployDemo(aegis, 'echo')).toMatch(
      /^Deployed agent echo revision 1\nId: [0-9a-f-]{36}\n/,
    )
    const id = await idOf('echo')
    expect(await ok(aegis, 'agent', 'list')).toMatch(
      new RegExp(`^1 agent:\nID +NAME.*\n${id}  echo  1\\.0\\.0  +active`),
    )
    const shown = await ok(aegis, 'agent', 'show', 'echo')
    expect(shown).toContain('kind: AgentManifest')
    expect(await ok(aegis, 'agent', 'show', id)).toBe(shown)
    await aegis.write('again.yaml', shown)
    expect(await ok(aegis, 'agent', 'deploy', 'again.yaml')).toMatch(
      /^Nothing changed: agent echo revision 1/,
    )
  })

  it('deploys a changed manifest only when told to replace, and keeps the history', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const shown = await ok(aegis, 'agent', 'show', 'echo')
    await aegis.write('changed.yaml', shown.replace('1.0.0', '1.1.0'))
    await fails(aegis, 1, /--replace/, 'agent', 'deploy', 'changed.yaml')
    expect(await ok(aegis, 'agent', 'deploy', 'changed.yaml', '--replace')).toContain('revision 2')
    expect(await ok(aegis, 'agent', 'show', 'echo', '--revision', '1')).toBe(shown)
  })

  it('executes a task by name, and gives its output and nothing else on stdout', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const ran = await aegis.run('task', 'execute', 'echo', '--input', 'Hello Daemon', '--wait')
    expect(ran).toMatchObject({ code: 0, stdout: 'Hello Daemon\n' })
    expect(ran.stderr).toContain('offline scripted provider')
    expect(ran.stderr.includes('No daemon is running')).toBe(isEmbedded)
  })

  it('executes a task by id, with input from a file, and shows the log as it happens', async (context) => {
    if (reason !== undefined) context.skip(reason)
    await aegis.write('input.json', '"Hello file"')
    const id = await idOf('echo')
    const log = await ok(aegis, 'task', 'execute', id, '-i', '@input.json', '--follow')
    expect(log).toMatch(/queued +echo revision 2, process/)
    expect(log).toMatch(/llm +scripted\/\S+ as default: \d+ \+ \d+ tokens/)
    expect(log).toMatch(/stdout +\| Hello file\n/)
    expect(log).toMatch(/completed +after 1 iteration\n$/)
  })

  it('executes a manifest that was not deployed before', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const path = await writeAgent(aegis, 'adder', 'console.log(1 + 1)')
    const ran = await aegis.run('task', 'execute', path, '--wait')
    expect(ran).toMatchObject({ code: 0, stdout: '2\n' })
    expect(ran.stderr).toContain('Deployed agent adder revision 1')
  })

  it('lists executions, and shows one with its output', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const tasks = await json<readonly TaskLine[]>(aegis, 'task', 'list')
    expect(tasks.map(({ agent_name, status }) => [agent_name, status])).toEqual([
      ['adder', 'completed'],
      ['echo', 'completed'],
      ['echo', 'completed'],
    ])
    const [newest] = tasks
    const id = newest?.id ?? ''
    expect(await ok(aegis, 'task', 'list', '--agent', 'adder')).toMatch(
      new RegExp(`^1 execution:\nID.*\n${id}  adder  completed`),
    )
    expect(
      await json(aegis, 'task', 'list', '--agent-id', await idOf('echo'), '-l', '1'),
    ).toHaveLength(1)
    expect(await ok(aegis, 'task', 'list', '--status', 'failed')).toContain('No such executions')
    const status = await ok(aegis, 'task', 'status', id)
    expect(status).toMatch(/Status +completed/)
    expect(status).toMatch(/Output\n {2}2\n$/)
    expect(await json(aegis, 'task', 'status', id)).toMatchObject({
      id,
      status: 'completed',
      output: '2\n',
    })
  })

  it('shows the log of a task and of an agent, in text and in JSON lines', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const [task] = await json<readonly TaskLine[]>(aegis, 'task', 'list', '--agent', 'echo')
    const id = task?.id ?? ''
    const log = await ok(aegis, 'task', 'logs', id)
    expect(log).toMatch(/stdout +\| Hello file/)
    expect(log).not.toMatch(/\nllm prompt/)
    expect(log.includes('[BOOTSTRAP DEBUG]')).toBe(!isEmbedded) // The daemon runs at debug.
    expect(await ok(aegis, 'task', 'logs', id, '--verbose')).toMatch(/ prompt +.*Hello file/)
    expect(await ok(aegis, 'task', 'logs', id, '--errors-only')).not.toContain('completed')
    const lines = (await ok(aegis, '--json', 'task', 'logs', id))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ version }) => version)).toEqual(lines.map((_, index) => index + 1))
    expect(lines.at(-1)).toMatchObject({ execution_id: id, event: { type: 'execution.completed' } })
    const agentLog = await ok(aegis, 'agent', 'logs', 'echo')
    expect(agentLog).toContain(` ${id.slice(0, 8)} `)
    expect(agentLog.match(/ completed +after 1 iteration/g)).toHaveLength(2)
    expect(await ok(aegis, 'agent', 'logs', await idOf('echo'))).toBe(agentLog)
  })

  it('exits with 5 and names the cause when an execution fails', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const path = await writeAgent(
      aegis,
      'failing',
      'console.error("no \\x1b[31mluck"); process.exit(7)',
    )
    await ok(aegis, 'agent', 'deploy', path)
    const ran = await aegis.run('task', 'execute', 'failing', '--wait')
    expect(ran).toMatchObject({ code: 5, stdout: '' })
    expect(ran.stderr).toMatch(/error: execution [0-9a-f-]{36} failed: exit_code: .*7/)
    const [task] = await json<readonly TaskLine[]>(aegis, 'task', 'list', '--agent', 'failing')
    const errors = await ok(aegis, 'task', 'logs', task?.id ?? '', '--errors-only')
    expect(errors).toMatch(/stderr +\| no \\x1b\[31mluck/)
    expect(errors).toMatch(/failed +after 1 iteration: exit_code/)
    const asJson = await aegis.run('--json', 'task', 'execute', 'failing', '--wait')
    expect(asJson.code).toBe(5)
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      status: 'failed',
      failure: { cause: 'exit_code', exit_code: 7 },
    })
  })

  it('pauses and resumes an agent', async (context) => {
    if (reason !== undefined) context.skip(reason)
    await ok(aegis, 'agent', 'pause', 'echo', '--reason', 'budget')
    expect(await ok(aegis, 'agent', 'list')).toMatch(/echo +1\.1\.0 +paused/)
    await fails(aegis, 1, /paused/, 'task', 'execute', 'echo', '-i', 'x', '--wait')
    await ok(aegis, 'agent', 'resume', await idOf('echo'))
    expect(await ok(aegis, 'task', 'execute', 'echo', '-i', 'back', '-w')).toBe('back\n')
  })

  it('exits with 4 for what is not there', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const absent = [
      ...['show', 'remove', 'logs', 'pause', 'resume'].map((verb) => ['agent', verb, 'nobody']),
      ['agent', 'show', nobody],
      ['task', 'execute', 'nobody', '-i', 'x'],
      ['task', 'list', '--agent', 'nobody'],
      ...['status', 'logs', 'cancel', 'remove'].map((verb) => ['task', verb, nobody]),
    ]
    for (const args of absent) await fails(aegis, 4, /error: .*(nobody|0000)/i, ...args)
    await fails(aegis, 4, /error: /, 'agent', 'show', 'echo', '--revision', '99')
  })

  it('removes an execution and an agent', async (context) => {
    if (reason !== undefined) context.skip(reason)
    const [task] = await json<readonly TaskLine[]>(aegis, 'task', 'list')
    const id = task?.id ?? ''
    expect(await ok(aegis, 'task', 'cancel', id)).toContain('was over already: completed')
    expect(await ok(aegis, 'task', 'remove', id)).toBe(`Removed execution ${id}\n`)
    await fails(aegis, 4, /error: /, 'task', 'status', id)
    expect(await ok(aegis, 'agent', 'remove', 'echo')).toBe('Removed agent echo\n')
    expect(await idOf('echo')).toBe('not listed')
    await ok(aegis, 'agent', 'remove', await idOf('adder'))
    await fails(aegis, 4, /error: /, 'agent', 'show', 'adder')
  })

  it('says what this machine can isolate agents with', async (context) => {
    if (reason !== undefined) context.skip(reason)
    expect(await ok(aegis, 'doctor')).toMatch(
      /^STATE +FOR +WHAT +FOUND\n(.*\n)+\nThis machine can isolate agents: process(, docker)?\.\n$/,
    )
    expect(await json(aegis, 'doctor')).toMatchObject({
      can_isolate: true,
      isolations: expect.arrayContaining(['process']),
    })
  })
})
