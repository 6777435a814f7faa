import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packProduct } from './pack-product.ts'

const run = promisify(execFile)

/** As a user's shell has it: without the workspace's own programs. */
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

describe('the package that npm pack makes', () => {
  let directory = ''
  let bin = ''

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'aegis-package-'))
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    const tarball = await packProduct(directory)
    const prefix = join(directory, 'prefix')
    await run('npm', ['install', '--global', '--prefix', prefix, tarball, ...quiet], {
      cwd: directory,
    })
    bin = join(prefix, 'bin')
  }, 180_000)

  afterAll(() => rm(directory, { recursive: true, force: true }))

  const aegis = (...args: string[]) =>
    run('aegis', args, {
      cwd: directory,
      env: { PATH: `${bin}:${path}`, HOME: directory, AEGIS_HOME: join(directory, 'home') },
    })

  it('brings a command that knows its version', async () => {
    expect((await aegis('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('runs an agent in a sandbox, without the repository', async () => {
    const agents = join(directory, 'prefix/lib/node_modules/aegis/demo-agents')
    await aegis('agent', 'deploy', join(agents, 'echo/agent.yaml'))
    const { stdout } = await aegis('task', 'execute', 'echo', '--input', 'from a package')
    expect(stdout).toBe('from a package\n')
  })

  it('brings the verifier of the audit, which checks an export of that node', async () => {
    await aegis('audit', 'export', 'log')
    const key = join(directory, 'home/keys/audit.pub')
    const { stdout } = await run('aegis-audit-verify', ['--key', key, 'log'], {
      cwd: directory,
      env: { PATH: `${bin}:${path}` },
    })
    expect(stdout).toContain('are as they were appended')
  })
})
