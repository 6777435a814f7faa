import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { findInterpreters } from './interpreters.ts'

it('asks a python that failed once again at its next use', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aegis-python-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const pythonPath = join(directory, 'python3')
  await writeFile(pythonPath, '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const interpreters = await findInterpreters({ nodePath: process.execPath, pythonPath })
  await expect(interpreters.mountsFor('python')).rejects.toMatchObject({
    code: 'interpreter.broken',
  })
  await writeFile(pythonPath, '#!/bin/sh\necho /usr/bin/python3\necho /usr\n')
  expect(await interpreters.mountsFor('python')).toEqual([
    { program: '/usr/bin/python3', names: ['python3', 'python'] },
  ])
})
