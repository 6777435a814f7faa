import { access, constants, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sandboxPath } from '@aegis/runtime-process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openProcessHost, whyNoProcessHost } from './hosts/process-host.ts'
import { run, specWith } from './sandbox-driver.ts'

const why = await whyNoProcessHost()
const hasPython = await access('/usr/bin/python3', constants.X_OK).then(
  () => true,
  () => false,
)
const python = { interpreter: { language: 'python', version: '3' } } as const

describe.skipIf(why)(`interpreters${why ? ` (${why})` : ''}`, () => {
  const open = async (overrides: Parameters<typeof openProcessHost>[0] = {}) => {
    const host = await openProcessHost(overrides)
    onTestFinished(() => host[Symbol.asyncDispose]())
    onTestFinished(() => host.tidy())
    return host
  }

  it('are the Node that runs AEGIS, whatever the host has besides', async () => {
    const box = await (await open()).boot({})
    const { stdout } = await run(box, ['node', '-p', 'process.version'], { PATH: sandboxPath })
    expect(stdout.toString().trim()).toBe(process.version)
  })

  it.runIf(hasPython)(
    'are the python3 of the host, by both names and with its library',
    async () => {
      const box = await (await open()).boot(python)
      const script = 'import json, ssl, sqlite3, urllib.request; print("complete")'
      for (const name of ['python3', 'python']) {
        const { stdout, stderr } = await run(box, [name, '-c', script], { PATH: sandboxPath })
        expect([stderr.toString(), stdout.toString()]).toEqual(['', 'complete\n'])
      }
    },
  )

  it.runIf(hasPython)('may be chosen, a script in front of the real one too', async () => {
    const host = await open()
    const shims = join(host.home, 'shims')
    await mkdir(shims)
    const shim = join(shims, 'python3')
    await writeFile(shim, '#!/bin/sh\nexec /usr/bin/python3 "$@"\n', { mode: 0o755 })
    const chosen = await open({ pythonPath: shim })
    const box = await chosen.boot(python)
    const { stdout } = await run(box, ['python3', '-c', 'print(6 * 7)'], { PATH: sandboxPath })
    expect(stdout.toString()).toBe('42\n')
  })

  it('that the host lacks are not promised, and asking for them says what to do', async () => {
    const { runtime } = await open({ pythonPath: '/nowhere/python3' })
    const { languages } = await runtime.capabilities(new AbortController().signal)
    expect(languages).toEqual(['javascript', 'none'])
    await expect(
      runtime.boot(specWith(python), new AbortController().signal),
    ).rejects.toMatchObject({
      kind: 'unsupported',
      message: expect.stringMatching(/apt-get install python3.*javascript/),
    })
    const findings = await runtime.diagnose(new AbortController().signal)
    expect(findings).toContainEqual(expect.objectContaining({ name: 'python3', state: 'warning' }))
  })

  it('that do not work are said so', async () => {
    const host = await open()
    const broken = join(host.home, 'python3')
    await writeFile(broken, '#!/bin/sh\nexit 3\n', { mode: 0o755 })
    const { runtime } = await open({ pythonPath: broken })
    const booting = runtime.boot(specWith(python), new AbortController().signal)
    await expect(booting).rejects.toMatchObject({ kind: 'unsupported' })
  })
})
