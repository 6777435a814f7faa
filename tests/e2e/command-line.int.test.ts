import { readFileSync } from 'node:fs'
import { access, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AegisCommand, demoAgent, openAegisCommand } from './aegis-command.ts'

let aegis: AegisCommand
beforeAll(async () => {
  aegis = await openAegisCommand()
})
afterAll(() => aegis[Symbol.asyncDispose]())

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

describe('the command line', () => {
  it('prints its version and its help on stdout', async () => {
    expect(await aegis.run('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
    for (const args of [
      ['--help'],
      ['help'],
      ['help', 'agent'],
      ['agent', '--help'],
      ['task', 'execute', '-h'],
    ]) {
      const { code, stdout, stderr } = await aegis.run(...args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toContain('Usage: aegis')
    }
  })

  it.each([
    [[], /^Usage: aegis/],
    [['agent'], /^Usage: aegis agent/],
    [['agnet', 'list'], /unknown command 'agnet'\nhelp: Did you mean agent\?/],
    [['agent', 'lisst'], /unknown command 'lisst'\nhelp: Did you mean list\?/],
    [['workflow', 'list'], /unknown command 'workflow'/],
    [['agent', 'list', '--jsn'], /unknown option '--jsn'\nhelp: Did you mean --json\?/],
    [['agent', 'list', 'surplus'], /too many arguments/],
    [['agent', 'deploy'], /missing required argument 'manifest'/],
    [['agent', 'show', 'echo', '--revision', '0'], /whole number from 1/],
    [['task', 'execute'], /missing required argument 'agent'/],
    [['task', 'execute', 'echo', '--priority', '101'], /whole number from -100 to 100/],
    [['task', 'execute', 'echo', '--isolation', 'chroot'], /process, docker, firecracker/],
    [['task', 'execute', 'echo', '--on-interrupt', 'panic'], /detach, cancel/],
    [['task', 'execute', 'echo', '--input'], /argument missing/],
    [['task', 'execute', 'echo', '--input', '@absent.json'], /absent\.json cannot be read/],
    [['task', 'list', '--limit', '1001'], /whole number from 1 to 1000/],
    [['task', 'list', '--limit', 'ten'], /whole number from 1 to 1000/],
    [['task', 'list', '--status', 'Done'], /Allowed choices are pending/],
    [['daemon', 'stop', '--timeout', '-1'], /whole number from 0/],
    [['daemon', 'start', '--port', '70000'], /A port is a number from 0 to 65535/],
    [['daemon', 'start', '--log-level', 'loud'], /trace, debug, info, warn, error/],
    [['--daemon', 'agent', 'list'], /--daemon stands alone/],
    [['--config', 'absent.yaml', 'config', 'show'], /no config file .*absent\.yaml/],
    [['config', 'validate', 'absent.yaml'], /no config file .*absent\.yaml/],
    [['completion', 'tcsh'], /bash, zsh, fish/],
  ] as const)('refuses %j with exit code 2 and says what to do', async (args, message) => {
    const { code, stdout, stderr } = await aegis.run(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  it.each([
    ['AEGIS_PORT', '80a'],
    ['AEGIS_LOG_LEVEL', 'loud'],
  ])('refuses the environment variable %s=%s with exit code 2', async (name, value) => {
    const ran = await aegis.runWith({ env: { [name]: value } }, 'daemon', 'status')
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain(`${name} is "${value}"`)
  })

  it('tells an error as one JSON object where JSON was asked for', async () => {
    const { code, stdout, stderr } = await aegis.run('--json', 'agent', 'lisst')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(JSON.parse(stderr)).toMatchObject({ error: "unknown command 'lisst'", exit_code: 2 })
  })

  it('prints completions that the shells accept', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await aegis.run('completion', shell)
      expect(code).toBe(0)
      expect(stdout).toContain('aegis')
    }
  })

  it('runs under an older Node.js by finding a newer one', async (context) => {
    const older = '/usr/bin/node'
    const found = await access(older).then(
      () => true,
      () => false,
    )
    if (!found) context.skip(`there is no second Node.js at ${older}`)
    const { code, stderr } = await aegis.runWith({ node: older }, 'agent', 'lisst')
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "error: unknown command 'lisst'\nhelp: Did you mean list?\n",
    })
  })

  it('keeps compiled code below AEGIS_HOME, and makes no home only to answer', async () => {
    await using fresh = await openAegisCommand()
    await fresh.run('--help')
    await expect(stat(fresh.home)).rejects.toThrow('ENOENT')
  })
})

describe('a manifest', () => {
  const good = readFileSync(demoAgent('echo'), 'utf8')

  it('is checked without changing anything', async () => {
    await using fresh = await openAegisCommand()
    const { code, stdout, stderr } = await fresh.run(
      'agent',
      'deploy',
      demoAgent('snoop'),
      '--validate-only',
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('agent snoop 1.0.0, with 1 context file')
    await expect(stat(fresh.home)).rejects.toThrow('ENOENT')
  })

  it('comes from standard input too', async () => {
    const options = { stdin: good }
    const ran = await aegis.runWith(options, '--json', 'agent', 'deploy', '-', '--validate-only')
    expect(JSON.parse(ran.stdout)).toMatchObject({ valid: true, name: 'echo' })
  })

  it.each([
    ['nothing', () => '', /bad\.yaml:1:1: The document is empty/],
    ['no YAML', () => 'a: [b', /bad\.yaml:\d+/],
    ['a list', () => '- a\n- b\n', /bad\.yaml/],
    ['two documents', () => `${good}\n---\n${good}`, /bad\.yaml/],
    ['another kind', () => good.replace('AgentManifest', 'Agnt'), /bad\.yaml:2:\d+ kind/],
    ['another version', () => good.replace('100monkeys.ai/v1', 'v2'), /bad\.yaml:1:\d+ apiVersion/],
    ['a bad name', () => good.replace('name: echo', 'name: -Echo-'), /metadata\.name/],
    ['an unknown key', () => good.replace('  task:', '  tsak:'), /tsak.*Did you mean task/s],
    ['a duplicate key', () => good.replace('cpu: 250', 'cpu: 250\n      cpu: 1'), /bad\.yaml:\d+/],
    ['a bad size', () => good.replace('128Mi', '128MMi'), /memory/],
    ['a bad duration', () => good.replace('30s', 'soon'), /timeout/],
    [
      'an unknown isolation',
      () => good.replace('language: javascript', 'language: javascript\n    isolation: dokcer'),
      /isolation.*did you mean docker/is,
    ],
    ['an open network mode', () => good.replace('mode: none', 'mode: any'), /network\.mode/],
    [
      'both aliases',
      () => good.replace('max_retries: 3', 'max_retries: 3\n    max_iterations: 3'),
      /max_/,
    ],
    ['a control character', () => good.replace('name: echo', 'name: "a\\e[2Jb"'), /metadata\.name/],
    [
      'a missing context file',
      () => `${good}  context:\n    - {type: file, path: absent.txt}\n`,
      /bad\.yaml:\d+: spec\.context\[0\]: absent\.txt is not there/,
    ],
    [
      'an address as context',
      () => `${good}  context:\n    - {type: url, url: "https://example.com/a"}\n`,
      /bad\.yaml:\d+: spec\.context\[0\]: .*network/,
    ],
  ])('that holds %s is refused with its place and a remedy', async (what, make, message) => {
    await aegis.write('bad.yaml', make())
    for (const args of [
      ['agent', 'deploy', 'bad.yaml', '--validate-only'],
      ['task', 'execute', './bad.yaml'],
    ]) {
      const { code, stdout, stderr } = await aegis.run(...args)
      expect({ code, stdout }).toEqual({
        code: what === 'an address as context' ? 1 : 2,
        stdout: '',
      })
      expect(stderr).toMatch(message)
      expect(stderr).not.toContain('\x1b')
      expect(stderr).not.toContain('this is a bug')
    }
  })

  it('that is missing, a folder or no text is refused', async () => {
    await aegis.write('folder/x', '')
    for (const path of ['absent.yaml', 'folder', '/dev/null/x']) {
      const { code, stderr } = await aegis.run('agent', 'deploy', path)
      expect(code).toBe(2)
      expect(stderr).toMatch(
        /^error: Manifest .* (cannot be read: there is no such file|is a folder)/,
      )
    }
  })
})

describe('a configuration', () => {
  it('is generated once, valid, and for its owner alone', async () => {
    for (const examples of [[], ['--examples']]) {
      const path = `generated${examples.length}.yaml`
      expect(await aegis.run('config', 'generate', '-o', path, ...examples)).toMatchObject({
        code: 0,
      })
      expect((await stat(join(aegis.folder, path))).mode & 0o777).toBe(0o600)
      expect(await aegis.run('config', 'validate', path)).toMatchObject({ code: 0, stderr: '' })
      const again = await aegis.run('config', 'generate', '-o', path)
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('--force') })
    }
    const forced = await aegis.run('config', 'generate', '-o', 'generated1.yaml', '--force')
    expect(forced.code).toBe(0)
  })

  it('is shown in its canonical form, without its keys', async () => {
    await aegis.write(
      'own.yaml',
      `node: {id: n1, type: edge, name: mine}
llm_providers:
  - {name: p, type: openai, endpoint: "https://api.example.com/v1", api_key: sk-secret-literal, models: [{alias: default, model: m, capabilities: [], context_window: 1000}]}
`,
    )
    const { code, stdout } = await aegis.run('config', 'show', '--config', 'own.yaml')
    expect(code).toBe(0)
    expect(stdout).toContain('kind: NodeConfig')
    expect(stdout).not.toContain('sk-secret-literal')
    const json = await aegis.run('config', 'show', '--config', 'own.yaml', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      kind: 'NodeConfig',
      metadata: { name: 'mine' },
    })
    expect(json.stdout).not.toContain('sk-secret-literal')
  })

  it('is looked for in the places that the reference names', async () => {
    const { stdout } = await aegis.run('config', 'show', '--paths')
    expect(stdout).toContain(join(aegis.folder, 'aegis-config.yaml'))
    expect(stdout).toContain(join(aegis.home, 'config.yaml'))
    expect(stdout).toContain('* built-in')
  })

  it.each([
    [
      'a provider without models',
      'node: {id: n, type: edge}\nllm_providers: [{name: p, type: ollama, endpoint: "http://localhost:11434", models: []}]\n',
      /models/,
    ],
    [
      'an unknown key',
      'node: {id: n, type: edge}\nllm_provider: []\n',
      /llm_provider.*llm_providers/s,
    ],
    ['an unknown node type', 'node: {id: n, type: cloud}\n', /type/],
    [
      'a default provider that is not there',
      'node: {id: n, type: edge}\nllm_selection: {default_provider: nobody}\n',
      /nobody/,
    ],
    ['no YAML', 'node: {id: [', /broken\.yaml:\d+/],
  ])('with %s is refused with its place and a remedy', async (_, text, message) => {
    await aegis.write('broken.yaml', text)
    for (const args of [
      ['config', 'validate', 'broken.yaml'],
      ['daemon', 'start', '-c', 'broken.yaml'],
      ['agent', 'list', '-c', 'broken.yaml'],
    ]) {
      const { code, stdout, stderr } = await aegis.run(...args)
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(message)
    }
  })
})

describe('the service', () => {
  it('can be looked at before it is installed', async () => {
    const { code, stdout } = await aegis.run('daemon', 'install', '--dry-run', '--port', '8123')
    expect(code).toBe(0)
    expect(stdout).toContain('ExecStart=')
    expect(stdout).toContain('"--port" "8123"')
  })

  it('is refused clearly where systemd does not run the machine', async (context) => {
    const hasSystemd = await readdir('/run/systemd/system').then(
      () => true,
      () => false,
    )
    if (hasSystemd) context.skip('systemd runs this machine')
    for (const verb of ['install', 'uninstall']) {
      const { code, stderr } = await aegis.run('daemon', verb)
      expect(code).toBe(1)
      expect(stderr).toContain('systemd does not run this machine')
    }
    await expect(readFile('/etc/systemd/system/aegis.service')).rejects.toThrow('ENOENT')
  })
})
