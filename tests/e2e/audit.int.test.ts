import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AegisCommand, demoAgent, openNodeCommand } from './aegis-command.ts'

const verifier = fileURLToPath(new URL('../../security/bin/aegis-audit-verify.js', import.meta.url))

let aegis: AegisCommand
beforeAll(async () => {
  aegis = await openNodeCommand()
  expect(await aegis.run('agent', 'deploy', demoAgent('echo'))).toMatchObject({ code: 0 })
  expect(await aegis.run('task', 'execute', 'echo', '--input', 'Hi', '--wait')).toMatchObject({
    code: 0,
    stdout: 'Hi\n',
  })
}, 120_000)
afterAll(() => aegis[Symbol.asyncDispose]())

const json = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await aegis.run('--json', 'audit', ...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

describe('the audit from the command line', () => {
  it('without a daemon has what was done, and who did it', async () => {
    const entries: readonly { entry: { type: string; actor?: string } }[] = await json('list')
    const types = entries.map(({ entry }) => entry.type)
    for (const type of [
      'agent.deployed',
      'execution.queued',
      'execution.completed',
      'api.called',
    ]) {
      expect(types).toContain(type)
    }
    const calls = entries.filter(({ entry }) => entry.type === 'api.called')
    expect(new Set(calls.map(({ entry }) => entry.actor))).toEqual(new Set(['local']))
    expect(await json('verify')).toMatchObject({ is_sound: true, unsigned: 0 })
  })

  it('with a daemon can be read, followed, proven and exported', async () => {
    const started = await aegis.run('daemon', 'start', '--port', String(aegis.port))
    expect(started).toMatchObject({ code: 0 })
    const tail = aegis.start('audit', 'tail', '--type', 'agent.*')
    await tail.said(/agent\.deployed/)
    await aegis.run('agent', 'pause', 'echo')
    await tail.said(/agent\.paused/)
    tail.child.kill('SIGINT')
    expect(await tail.ended).toMatchObject({ code: 130 })

    const witness = join(aegis.folder, 'witness')
    await writeFile(witness, (await aegis.run('audit', 'checkpoint')).stdout)
    const proof = join(aegis.folder, 'entry.tlog-proof')
    expect(await aegis.run('audit', 'prove', '1', '-o', proof)).toMatchObject({ code: 0 })
    const exported = await aegis.run('audit', 'export', 'log')
    expect(exported).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Exported \d+ /) })
    await aegis.run('agent', 'resume', 'echo')
    const again = await aegis.run('audit', 'export', 'log')
    expect(again.stdout).toMatch(/^Exported \d+ entries, \d+ of them new/)
    expect(await aegis.run('audit', 'verify', '--witness', witness)).toMatchObject({ code: 0 })
    const { key } = await json('key')
    await aegis.run('daemon', 'stop')

    for (const [path, ...flags] of [
      ['log', '--key', key, '--witness', witness],
      ['log'],
      [proof, '--key', key],
    ] as const) {
      expect(await aegis.run('audit', 'verify', path, ...flags)).toMatchObject({ code: 0 })
    }
    const run = promisify(execFile)
    const directory = join(aegis.folder, 'log')
    const { stdout } = await run(process.execPath, [verifier, '--key', key, directory])
    expect(stdout).toContain('are as they were appended')
    await run(process.execPath, [verifier, '--key', key, '--proof', proof])
  }, 120_000)

  it('says of what was changed which entry it is, with exit code 1, and starts no node on it', async () => {
    const bundle = join(aegis.folder, 'log', 'tile/entries')
    const [name = ''] = (await readdir(bundle, { recursive: true })).filter((path) =>
      path.includes('.p/'),
    )
    const content = await readFile(join(bundle, name))
    content.writeUInt8(content.readUInt8(10) ^ 1, 10)
    await writeFile(join(bundle, name), content)
    const spoilt = await aegis.run('audit', 'verify', 'log')
    expect(spoilt).toMatchObject({ code: 1 })
    expect(spoilt.stdout).toContain('Entry 0 is not what was appended there.')

    edit(`update audit_entries set body = cast('{}' as blob) where idx = 2`)
    const changed = await aegis.run('audit', 'verify')
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.stdout).toContain('Entry 2 is not what was appended there.')

    edit(`delete from audit_entries where idx >= 4; delete from audit_hashes where idx >= 4`)
    const cut = await aegis.run('audit', 'verify')
    expect(cut).toMatchObject({ code: 1 })
    expect(cut.stdout).toMatch(/The log ends before entry 4, though \d+ entries were signed/)
    const refused = await aegis.run('agent', 'list')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('aegis audit verify')
    const daemon = await aegis.run('daemon', 'start', '--port', String(aegis.port))
    expect(daemon.code).not.toBe(0)
  }, 60_000)
})

function edit(sql: string): void {
  using database = new DatabaseSync(join(aegis.home, 'aegis.db'))
  database.exec(sql)
}
