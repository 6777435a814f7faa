import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AegisCommand, openNodeCommand } from './aegis-command.ts'
import { fails, json, ok, writeAgent } from './product-commands.ts'

const timeout = 120_000
const token = 'ghp_0123456789abcdef'
const scope = ['--agent', 'coder', '--to', 'api.github.com', '--place', 'bearer,header']

async function open(): Promise<AegisCommand> {
  const aegis = await openNodeCommand()
  onTestFinished(() => aegis[Symbol.asyncDispose]())
  return aegis
}

/** Keeps a secret, with its value on standard input. */
async function keep(aegis: AegisCommand, value: string, ...args: readonly string[]) {
  const ran = await aegis.runWith({ stdin: value }, '--json', 'secret', 'set', ...args)
  expect(ran, ran.stderr).toMatchObject({ code: 0 })
  return JSON.parse(ran.stdout)
}

/** All that a home holds, but the sockets and the database's own files. */
async function textsOf(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile())
  const texts = files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1'))
  return (await Promise.all(texts)).join('\n')
}

describe.each(['with a daemon', 'without a daemon'])('secrets %s', { timeout }, (how) => {
  async function openHow(env: Readonly<Record<string, string>> = {}): Promise<AegisCommand> {
    const aegis = await open()
    if (how === 'without a daemon') return aegis
    const started = await aegis.runWith({ env }, 'daemon', 'start', '--port', String(aegis.port))
    expect(started.code, started.stderr).toBe(0)
    return aegis
  }

  it('are kept, listed, changed and removed, and their values appear nowhere', async () => {
    const aegis = await openHow()
    expect(await json(aegis, 'secret', 'list')).toEqual([])
    const kept = await keep(aegis, `${token}\n`, 'github', ...scope)
    expect(kept).toMatchObject({
      created: true,
      secret: {
        name: 'github',
        agents: ['coder'],
        hosts: ['api.github.com'],
        places: ['bearer', 'header'],
      },
    })
    await keep(aegis, token.toUpperCase(), 'github', '--to', '*.github.com')
    await writeFile(join(aegis.folder, 'value'), `${token}\n`)
    expect(await ok(aegis, 'secret', 'set', 'other', ...scope, '--from-file', 'value')).toMatch(
      /^Keeping secret other\nAgents +coder\nSent to +api\.github\.com\n/,
    )
    const list = await ok(aegis, 'secret', 'list')
    expect(list).toMatch(/^2 secrets:\nNAME/)
    expect(list).toMatch(/github +coder +\*\.github\.com +bearer, header .*intact/)
    expect(await ok(aegis, 'secret', 'rm', 'other')).toBe('Removed secret other\n')
    await fails(aegis, 4, /There is no secret "other"/, 'secret', 'rm', 'other')
    const texts = `${await textsOf(aegis.home)}${list}${JSON.stringify(kept)}`
    expect(texts).not.toContain(token)
    expect(texts).not.toContain(token.toUpperCase())
    for (const path of ['secrets.json', 'keys/secrets.key']) {
      expect((await stat(join(aegis.home, path))).mode & 0o777).toBe(0o600)
    }
  })

  it('are refused with a scope or a value that is none, and with a value as an argument', async () => {
    const aegis = await openHow()
    const refuse = (message: RegExp, ...args: readonly string[]) =>
      fails(aegis, 2, message, 'secret', ...args)
    const { stderr } = await refuse(/A value is no argument/, 'set', 'github', token, ...scope)
    expect(stderr).not.toContain(token)
    await refuse(/value: It is empty/, 'set', 'github', ...scope)
    await refuse(/choices are header/, 'set', 'github', ...scope, '--place', 'body')
    const set = async (...args: readonly string[]) =>
      (await aegis.runWith({ stdin: token }, 'secret', 'set', ...args)).stderr
    const refusal = await set('github')
    expect(refusal).toMatch(/agents: It is missing.*--agent/)
    expect(refusal).toMatch(/hosts: It is missing.*--to/)
    expect(await set('github', '--agent', 'a', '--to', '*')).toMatch(/hosts\[0\]: "\*"/)
    expect(await json(aegis, 'secret', 'list')).toEqual([])
  })

  it('are encrypted anew under another key, and are there afterwards', async () => {
    const aegis = await openHow()
    await keep(aegis, token, 'github', ...scope)
    const key = await readFile(join(aegis.home, 'keys/secrets.key'), 'utf8')
    expect(await ok(aegis, 'secret', 'rotate')).toBe(
      'Encrypted 1 secret anew; the key comes from file\n',
    )
    expect(await readFile(join(aegis.home, 'keys/secrets.key'), 'utf8')).not.toBe(key)
    await ok(aegis, 'daemon', 'stop')
    expect(await json(aegis, 'secret', 'list')).toMatchObject([{ name: 'github', state: 'intact' }])
    await writeFile(join(aegis.home, 'keys/secrets.key'), key)
    await fails(aegis, 1, /encrypted with another key than that of file/, 'secret', 'list')
    // What needs no secret works all the same.
    expect(await json(aegis, 'agent', 'list')).toEqual([])
  })
})

describe('the secrets of a node', { timeout }, () => {
  it('need no key and no file while there are none', async () => {
    const aegis = await open()
    await ok(aegis, 'agent', 'list')
    await ok(aegis, 'secret', 'list')
    const names = await readdir(aegis.home, { recursive: true })
    expect(names.filter((name) => name.includes('secrets'))).toEqual([])
  })

  it('are encrypted with a passphrase where the config says so', async () => {
    const aegis = await open()
    await aegis.write(
      'config.yaml',
      `apiVersion: 100monkeys.ai/v1
kind: NodeConfig
metadata: {name: test}
spec:
  node: {id: test, type: edge}
  security: {secrets: {key: "passphrase:env:VAULT"}}
`,
    )
    const run = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
      aegis.runWith({ env, stdin: token }, '--config', 'config.yaml', 'secret', ...args)
    const passphrase = { VAULT: 'correct horse battery staple' }
    expect(await run(passphrase, 'set', 'github', ...scope)).toMatchObject({ code: 0 })
    expect((await run(passphrase, 'list')).stdout).toContain('github')
    const names = await readdir(aegis.home, { recursive: true })
    expect(names.filter((name) => name.includes('secrets'))).toEqual(['secrets.json'])
    expect((await run({}, 'list')).stderr).toContain('The variable VAULT')
    expect((await run({ VAULT: 'another passphrase' }, 'list')).stderr).toContain('another key')
  })

  it('are named when something else changed them, and can be set again', async () => {
    const aegis = await open()
    await keep(aegis, token, 'github', ...scope)
    await keep(aegis, token, 'other', ...scope)
    const path = join(aegis.home, 'secrets.json')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace('"coder"', '"*"'))
    const states = async () =>
      (await json<{ name: string; state: string }[]>(aegis, 'secret', 'list')).map(
        ({ name, state }) => `${name} ${state}`,
      )
    expect(await states()).toEqual(['github altered', 'other intact'])
    await fails(aegis, 1, /changed the secret "github" on the disk/, 'secret', 'rotate')
    const ran = await aegis.runWith({ stdin: token }, 'secret', 'set', 'github')
    expect(ran.stderr).toContain('agents: It is missing')
    await keep(aegis, token, 'github', ...scope)
    expect(await states()).toEqual(['github intact', 'other intact'])
  })

  it('are refused to an agent that they are not for, with what the operator can do', async () => {
    const aegis = await open()
    await keep(aegis, token, 'github', ...scope)
    const manifest = await writeAgent(
      aegis,
      'thief',
      'console.log(process.env.TOKEN)',
      '  secrets: {TOKEN: github}',
    )
    await ok(aegis, 'agent', 'deploy', manifest)
    const ran = await aegis.run('task', 'execute', 'thief', '--wait')
    expect(ran.code).toBe(5)
    expect(ran.stdout + ran.stderr).toContain('The agent thief may use no secret "github"')
    expect(ran.stdout + ran.stderr).not.toContain(token)
  })

  it('are stood for by a placeholder in the agent they are for', async () => {
    const aegis = await open()
    await keep(aegis, token, 'github', ...scope)
    const program = 'console.log("token:", process.env.TOKEN)'
    const manifest = await writeAgent(aegis, 'coder', program, '  secrets: {TOKEN: github}')
    await ok(aegis, 'agent', 'deploy', manifest)
    const ran = await aegis.run('task', 'execute', 'coder', '--wait')
    expect(ran.stdout).toMatch(/token: aegis-secret-[0-9a-f]{32}/)
    expect(await textsOf(aegis.home)).not.toContain(token)
  })
})
