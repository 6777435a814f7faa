import { demoAgent, openNodeCommand } from '@aegis/tests/e2e/aegis-command.ts'
import { expect, it } from 'vitest'

it('starts on any free port, which nobody knows before', async () => {
  await using aegis = await openNodeCommand()
  const started = await aegis.run('daemon', 'start', '--port', '0')
  try {
    expect(started).toMatchObject({ code: 0, stdout: expect.stringContaining('Daemon started') })
    const status = await aegis.run('daemon', 'status', '--port', '0')
    expect(status).toMatchObject({ code: 0, stdout: expect.stringContaining('running') })
  } finally {
    await aegis.run('daemon', 'stop', '--force')
  }
})

it('says when its output cannot be written, without a stack', async () => {
  await using aegis = await openNodeCommand()
  await aegis.run('agent', 'deploy', demoAgent('echo'))
  const path = new URL('../../bin/aegis.js', import.meta.url).pathname
  const { execFile } = await import('node:child_process')
  const line = `exec "$0" "$1" --home "$2" agent list >/dev/full`
  const [code, stderr] = await new Promise<readonly [unknown, string]>((resolve) => {
    const args = ['-c', line, process.execPath, path, aegis.home]
    execFile('sh', args, (error, _out, text) => resolve([error?.code, text]))
  })
  expect(code).toBe(1)
  expect(stderr).toContain('error: the output cannot be written')
  expect(stderr).not.toContain('    at ')
})
